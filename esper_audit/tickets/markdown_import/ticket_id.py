"""Which ticket a document is: its id and its title, and the message for a document that is none."""

from __future__ import annotations

import re

import msgspec

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.markdown_import.document.document import Document
from esper_audit.tickets.markdown_import.document.inline_values import (
    ANY_TICKET_ID,
    TICKET_ID,
    one_line,
    without_markup,
)
from esper_audit.tickets.markdown_import.sections.metadata import Metadata, is_placeholder
from esper_audit.tickets.parts import AsWritten

FORM_TITLE = re.compile(r"Finding Ticket\s*[:–—-]\s*", re.IGNORECASE)
BEHIND_ID = re.compile(r"^[\])`*_]*\s*(?:[:–—-]\s*|\s|$)")
SIGNS = ("severity", "status", "location", "description", "summary")


class DocumentOrigin(msgspec.Struct, frozen=True):
    """Where a document was found: the name of its file, and that of the folder which says its status."""

    name: str = ""
    folder: str = ""

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name.rpartition(".")[0] or self.name


class TicketIdentity(msgspec.Struct, frozen=True):
    """The id and the title, and words of the document for the id that are not it."""

    id: str
    title: str
    as_written: list[AsWritten]


def identify_ticket(
    document: Document,
    metadata: Metadata,
    origin: DocumentOrigin,
    summary: str,
    signs: dict[str, bool],
) -> TicketIdentity:
    """Return who a document is; `signs` says which parts of a ticket it has.

    Raises TicketError for a document without id, or with nothing that makes it a ticket.
    """
    written = metadata.own.get("id", "") or metadata.other.get("id", "")
    in_title = TICKET_ID.search(document.title)
    found = _id_in(written) or (in_title[0] if in_title else "") or _id_of_file(origin.stem)
    missing = [name for name, there in signs.items() if not there]
    if not found or is_placeholder(written) or len(missing) == len(signs):
        raise TicketError(_missing_parts(written, found, missing))
    title = _title(document.title or metadata.other.get("title", ""), found)
    words = (
        []
        if without_markup(written) in ("", found)
        else [AsWritten(field="id", where="head", words=one_line(written))]
    )
    return TicketIdentity(found, title or one_line(summary) or found, words)


def _id_in(written: str) -> str:
    value = without_markup(written)
    if ANY_TICKET_ID.fullmatch(value):
        return value
    match = TICKET_ID.search(value)
    return match[0] if match else ""


def _id_of_file(stem: str) -> str:
    match = TICKET_ID.match(stem)
    return match[0] if match else ""


def _title(title: str, ticket_id: str) -> str:
    plain = FORM_TITLE.sub("", title, count=1) if FORM_TITLE.match(title) else title
    start = plain.lstrip("[(`*_")
    if start.startswith(ticket_id) and BEHIND_ID.match(start[len(ticket_id) :]):
        plain = BEHIND_ID.sub("", start[len(ticket_id) :], count=1)
    return one_line(plain)


def _missing_parts(written: str, found: str, missing: list[str]) -> str:
    if is_placeholder(written):
        return f"no ticket: its Ticket ID is the template's own, {written.strip()}"
    wanted = (
        [] if found else ["no id (a row `Ticket ID`, an id in the title or in the file's name)"]
    )
    return "no ticket: " + ", ".join([*wanted, *(f"no {name}" for name in missing)])
