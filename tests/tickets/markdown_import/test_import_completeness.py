"""The completeness check finds every field and word that is missing."""

from __future__ import annotations

import msgspec
import pytest
from support.markdown_forms import LOCATION, form, read, row, with_status
from support.resolution_layouts import LAYOUTS as RESOLUTIONS
from support.review_layouts import LAYOUTS as REVIEWS

from esper_audit.tickets.markdown_import.completeness import missing_text

TEXT = form(
    REVIEWS["a heading a reviewer with colon"][0],
    RESOLUTIONS["labels in paragraphs"][0],
    "## Investigation Notes\n\nAsked the pump people.",
    metadata=row("Effort", "two evenings").replace("`valve`", "`plumbing`"),
    location=LOCATION.replace("`12-19`", "`12-19` (before the rewrite)"),
)
FIELDS = {
    "summary": "-",
    "description": "",
    "why_it_matters": "",
    "evidence": [],
    "fix": [],
    "verification": [],
    "related": [],
    "reviews": [],
    "resolution": None,
    "report": "",
    "section": "",
    "domain": "",
    "agent": "",
    "created": "",
    "updated": "",
    "locations": [],
    "as_written": [],
    "extra": [],
}


def test_a_whole_form_misses_nothing() -> None:
    assert missing_text(TEXT, [read(TEXT)]) == []


@pytest.mark.parametrize("field", FIELDS)
def test_a_dropped_field_is_missing(field: str) -> None:
    without_history = msgspec.structs.replace(
        read(TEXT), history=[]
    )  # the history repeats dates and words
    ticket = msgspec.structs.replace(without_history, **{field: FIELDS[field]})
    assert missing_text(TEXT, [ticket]) != []


def test_a_dropped_word_is_missing() -> None:
    ticket = read(TEXT)
    shorter = ticket.description.replace("thrown ", "")
    assert missing_text(TEXT, [msgspec.structs.replace(ticket, description=shorter)]) != []


def test_the_words_of_the_form_may_be_missing() -> None:
    text = form(metadata=with_status("`open`"), related="None.")
    assert missing_text(text, [read(text)]) == []
