"""An imported ticket as its own page gives it again, so that import, page and import are a fixed point."""

from __future__ import annotations

from collections.abc import Callable

from esper_audit.findings.errors import TicketError
from esper_audit.reports.pages import Reports
from esper_audit.tickets.importing.file_kinds import read_tickets
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.ticket import Ticket

MOST_PAGES = 4


def settler(paths: PathMap) -> Callable[[Ticket], Ticket]:
    """Return the function that replaces a ticket by the one that its page gives again and again.

    Where that does not settle, the function returns the ticket itself. Text in odd places of a document
    moves to another section of `extra` by this; the fields of nearly all documents settle at once.
    """
    reports = Reports("")

    def settled(ticket: Ticket) -> Ticket:
        current = ticket
        for _ in range(MOST_PAGES):
            again = _of_page(reports.render_ticket(current), ticket.id, paths)
            if again is None or again.id != ticket.id:
                return ticket
            if again == current:
                return current
            current = again
        return ticket

    return settled


def _of_page(page: str, name: str, paths: PathMap) -> Ticket | None:
    try:
        read = read_tickets(page, DocumentOrigin(f"{name}.md", ""), paths)
    except TicketError:
        return None
    return read[0].ticket if len(read) == 1 else None
