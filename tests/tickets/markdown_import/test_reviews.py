"""Reviews are read in every layout, and other text does not become a review."""

from __future__ import annotations

import pytest
from support.markdown_forms import assert_stays, form, read
from support.review_layouts import LAYOUTS, NO_REVIEWS

from esper_audit.tickets.markdown_import.completeness import missing_text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_its_reviewers_and_their_verdicts(layout: str) -> None:
    text, expected = LAYOUTS[layout]
    ticket = read(form(text))
    assert [(review.reviewer, review.verdict.value) for review in ticket.reviews] == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_loses_a_word(layout: str) -> None:
    text = form(LAYOUTS[layout][0])
    assert missing_text(text, [read(text)]) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_stays_when_its_page_is_read(layout: str) -> None:
    assert_stays(read(form(LAYOUTS[layout][0])))


@pytest.mark.parametrize("text", NO_REVIEWS.values(), ids=list(NO_REVIEWS))
def test_a_section_without_a_verdict_is_kept_unchanged(text: str) -> None:
    ticket = read(form(text))
    assert ticket.reviews == []
    assert any(part.text in text for part in ticket.extra)
    assert_stays(ticket)
