"""A ticket of another tool as plain values, and the ticket that it becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.tickets.form import order_extras
from esper_audit.tickets.markdown_import.document.document import read_document
from esper_audit.tickets.markdown_import.document.inline_values import one_line
from esper_audit.tickets.markdown_import.sections.metadata import (
    DEFAULT_SEVERITY,
    SEVERITY_NOT_STATED,
)
from esper_audit.tickets.markdown_import.sections.outcome import initial_history
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin, TicketIdentity
from esper_audit.tickets.markdown_import.ticket_reader import read_ticket
from esper_audit.tickets.parts import AsWritten, Evidence, Extra, Resolution, TicketLocation
from esper_audit.tickets.states import RESOLVED, ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
NO_RESPONSE = re.compile(r"^_No response_\s*?$", re.MULTILINE)
TOP_HEADING = re.compile(r"^# ", re.MULTILINE)
HEADING = re.compile(r"^(#{1,5} )", re.MULTILINE)
FENCED = re.compile(r"(^ {0,3}(?:```|~~~).*?^ {0,3}(?:```|~~~)[^\n]*$)", re.MULTILINE | re.DOTALL)


class ForeignRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a ticket of another tool.

    `body` is its Markdown. `rows` are names and texts without field, `notes` sections and texts. `words` are
    the words of the status, the severity and the like, by field.
    """

    id: str
    title: str
    body: str = ""
    status: Status = Status.OPEN
    kind: ResolutionKind | None = None
    resolution: str = ""
    severity: Severity | None = None
    created: str = ""
    updated: str = ""
    closed: str = ""
    agent: str = ""
    assignee: str = ""
    domain: str = ""
    batch: str = ""
    categories: tuple[Category, ...] = ()
    places: tuple[TicketLocation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    report: str = ""
    section: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    words: tuple[tuple[str, str], ...] = ()


def ticket_of(record: ForeignRecord, origin: DocumentOrigin, paths: PathMap) -> Ticket:
    """Return the ticket of a record, whose body is read like a form."""
    title = one_line(record.title) or record.id
    document = msgspec.structs.replace(read_document(_markdown(record.body)), title=title)
    origin = DocumentOrigin(origin.name)
    read = read_ticket(document, origin, paths, TicketIdentity(record.id, title, [])).ticket
    severity = record.severity or (DEFAULT_SEVERITY if read.severity_reason else read.severity)
    is_stated = record.severity is not None or not read.severity_reason
    updated = record.updated or record.created or read.updated
    day = record.closed or updated
    return msgspec.structs.replace(
        read,
        status=record.status,
        severity=severity,
        proposed_severity=severity,
        severity_reason="" if is_stated else SEVERITY_NOT_STATED,
        created=record.created or read.created,
        updated=max(updated, record.closed),
        domain=record.domain or read.domain,
        batch=record.batch or read.batch,
        agent=record.agent or read.agent,
        assignee=record.assignee or read.assignee,
        categories=[c for c in Category if c in {*record.categories, *read.categories}],
        locations=[*record.places, *(p for p in read.locations if p not in record.places)],
        evidence=[*record.evidence, *read.evidence],
        resolution=_resolution(record) or (read.resolution if record.status in RESOLVED else None),
        report=record.report or read.report,
        section=record.section or read.section,
        source=f"imported from {origin.name}",
        history=initial_history(record.status, day, "the imported file states it"),
        as_written=[*_words(record), *read.as_written],
        extra=order_extras([*_extra(record), *read.extra]),
    )


def _extra(record: ForeignRecord) -> list[Extra]:
    rows = [
        Extra(section=FormPart.METADATA.value, row=name, text=text)
        for name, text in record.rows
        if text.strip()
    ]
    return rows + [Extra(section=name, text=text) for name, text in record.notes if text.strip()]


def _words(record: ForeignRecord) -> list[AsWritten]:
    return [
        AsWritten(field=name, where="head", words=one_line(text))
        for name, text in record.words
        if text
    ]


def safe_id(*parts: object) -> str:
    """Return an id made of parts, with letters, digits, dots and dashes only."""
    joined = "-".join(UNSAFE.sub("-", str(part)).strip("-._") for part in parts if str(part))
    return joined.strip("-._") or "TICKET"


def numbered(records: Sequence[ForeignRecord]) -> list[ForeignRecord]:
    """Return records whose ids are unique, with a number behind repeated ones."""
    counts: dict[str, int] = {}
    found = []
    for record in records:
        times = counts[record.id] = counts.get(record.id, 0) + 1
        unique = f"{record.id}-{times}" if times > 1 else record.id
        found.append(msgspec.structs.replace(record, id=unique))
    return found


def _resolution(record: ForeignRecord) -> Resolution | None:
    if record.status not in RESOLVED:
        return None
    kind = record.kind or ResolutionKind(record.status.value)
    return Resolution(kind=kind, evidence=record.resolution)


def _markdown(body: str) -> str:
    """Return a body as a document: plain text as a description, headings below the title."""
    text = NO_RESPONSE.sub("", body.replace("\r\n", "\n")).strip("\n")
    if not text.strip():
        return ""
    pieces = FENCED.split(text)
    if any(TOP_HEADING.search(piece) for piece in pieces[::2]):
        pieces[::2] = [HEADING.sub(r"#\1", piece) for piece in pieces[::2]]
        text = "".join(pieces)
    if re.match(r"#{1,6} ", text) or re.match(r"\s*(?:\||\*\*[\w ]+:?\*\*)", text):
        return f"# T\n\n{text}"
    return f"# T\n\n## {FormPart.DESCRIPTION.value}\n\n### What's Wrong\n\n{text}"
