"""A record whose page would be read as another one is replaced by the one that its page gives."""

from __future__ import annotations

import pytest
from support.markdown_forms import form, page_of, read

from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.workflow.settled_import import settler

ODD = {
    "a table of places above the sections": form().replace(
        "## Ticket Metadata",
        "| Field | Value |\n|---|---|\n| **Effort** | 2h |\n| **Line(s)** | `67-69` |\n\n"
        "More.\n\n## Ticket Metadata",
    ),
    "a heading that lost its mark": form()
    .replace("## Appendix", "Appendix")
    .replace("\n---\n", "\n"),
    "a section above the metadata": "Summary\n\n**One-line summary:** Twice.\n\n- [x] Performance\n\n"
    + form(),
}


@pytest.mark.parametrize("name", ODD)
def test_a_settled_ticket_stays_and_loses_nothing(name: str) -> None:
    settle = settler(PathMap())
    ticket = settle(read(ODD[name]))
    assert read(page_of(ticket), f"{ticket.id}.md") == ticket
    assert missing_text(ODD[name], [ticket]) == []


def test_a_ticket_that_stays_is_not_changed() -> None:
    ticket = read(form())
    assert settler(PathMap())(ticket) is ticket
