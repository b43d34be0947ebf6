"""The id and the title of a document, and the error for a document that is not a ticket."""

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


class DocumentOrigin(msgspec.Struct, frozen=True):
    """The name of a document's file, and of the folder above whose name is a status."""

    name: str = ""
    folder: str = ""

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name.rpartition(".")[0] or self.name


class TicketIdentity(msgspec.Struct, frozen=True):
    """The id and the title of a ticket, and the original words for the id where they differ."""

    id: str
    title: str
    as_written: list[AsWritten]


def identify_ticket(
    document: Document,
    metadata: Metadata,
    origin: DocumentOrigin,
    summary: str,
    present: dict[str, bool],
) -> TicketIdentity:
    """Return the id and title of a document.

    `present` maps the parts of a ticket to whether it has them.

    Raises TicketError for a document without id, or without any of the parts.
    """
    written = metadata.own.get("id", "") or metadata.other.get("id", "")
    in_title = TICKET_ID.search(document.title)
    found = _id_in(written) or (in_title[0] if in_title else "") or _id_of_file(origin.stem)
    missing = [name for name, is_present in present.items() if not is_present]
    if not found or is_placeholder(written) or len(missing) == len(present):
        raise TicketError(_problem(written, found, missing))
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


def _problem(written: str, found: str, missing: list[str]) -> str:
    if is_placeholder(written):
        return f"not a ticket: the Ticket ID is the placeholder of the template ({written.strip()})"
    places = "a row `Ticket ID`, the title or the file name"
    parts = [
        *([] if found else [f"no id (expected in {places})"]),
        *(f"no {one}" for one in missing),
    ]
    return f"not a ticket: {', '.join(parts)}"
