"""The resolution is read in every layout, with its claims, commits, sign-off and evidence."""

from __future__ import annotations

import pytest
from support.markdown_forms import assert_stays, contradictions, form, read, with_status
from support.resolution_layouts import LAYOUTS, STILL_OPEN

from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.states import STATUS_OF, Status


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_kind_of_resolution(layout: str) -> None:
    text, kind = LAYOUTS[layout]
    ticket = read(form(text, metadata=with_status("`closed`")))
    assert ticket.resolution is not None
    assert ticket.resolution.kind.value == kind
    assert ticket.status is STATUS_OF[ticket.resolution.kind]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_loses_a_word(layout: str) -> None:
    text = form(LAYOUTS[layout][0], metadata=with_status("`closed`"))
    assert missing_text(text, [read(text)]) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_stays_when_its_page_is_read(layout: str) -> None:
    assert_stays(read(form(LAYOUTS[layout][0], metadata=with_status("`closed`"))))


@pytest.mark.parametrize("text", STILL_OPEN.values(), ids=list(STILL_OPEN))
def test_a_section_without_resolution_is_kept_unchanged(text: str) -> None:
    ticket = read(form(text))
    assert ticket.status in (Status.OPEN, Status.INVESTIGATING)
    assert ticket.resolution is None
    assert_stays(ticket)
    assert missing_text(form(text), [ticket]) == []


def test_claims_have_verdicts_in_words_and_in_signs() -> None:
    ticket = read(form(LAYOUTS["a heading with the status"][0]))
    assert ticket.resolution is not None
    verdicts = [(claim.verdict.value, claim.as_written) for claim in ticket.resolution.claims]
    assert verdicts == [
        ("FALSE", "❌ FALSE"),
        ("TRUE", "✅ TRUE"),
        ("PARTIAL", "⚠️ PARTIAL"),
        ("STALE", ""),
    ]


def test_hashes_are_commits_and_a_pending_one_stays_text() -> None:
    commits = {
        "labels in paragraphs": ["58ab12cd"],
        "the template's own headings": ["58ab12cd", "69bc23de"],
        "commits below a heading, nothing else": ["58ab12cd", "69bc23de"],
        "a pending commit": [],
    }
    for layout, expected in commits.items():
        end = read(form(LAYOUTS[layout][0], metadata=with_status("closed"))).resolution
        assert end is not None
        assert end.commits == expected, layout
    pending = read(form(LAYOUTS["a pending commit"][0])).resolution
    assert pending is not None
    assert "`[current commit]` (pending)" in pending.evidence


SUMMARIES = {
    "a row each": "| Field | Value |\n|---|---|\n| **Status** | FIXED |\n| **Severity** | P1 -> P3 |\n"
    "| **Resolved** | 2025-03-09 |\n| **Commit** | `58ab12cd` |",
    "final severity": "| Field | Value |\n|---|---|\n| **Status** | FIXED |\n| **Final Severity** | P3 |\n"
    "| **Date** | 2025-03-09 |\n| **Commit** | `58ab12cd` |",
    "side by side": "| Severity | Status | Date | Commit |\n|---|---|---|---|\n"
    "| P3 | Fixed | 2025-03-09 | `58ab12cd` |",
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_resolution_summary_gives_status_severity_date_and_commit(name: str) -> None:
    text = form(f"## Resolution Summary\n\n{SUMMARIES[name]}")
    ticket = read(text)
    assert ticket.status is Status.FIXED
    assert ticket.resolution is not None
    assert ticket.resolution.commits == ["58ab12cd"]
    assert [change.date for change in ticket.history] == ["2025-03-09"]
    assert any("P2 is kept" in one and "P3" in one for one in contradictions(text))
    assert_stays(ticket)
