"""Many files at once: each is read on its own, ids are claimed once, tickets that exist are never overwritten."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.markdown_import.document.document import read_document
from esper_audit.tickets.markdown_import.report import is_report, read_report
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.statuses import folder_status
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.markdown_import.ticket_reader import ImportedTicket, read_ticket
from esper_audit.tickets.ticket import Ticket

SUFFIXES = (".md", ".markdown", ".txt")
FOLDERS_ABOVE = 2  # `fixed/batch1/B1-PT-01.md` lies in `fixed` too


class ImportState(enum.StrEnum):
    """What becomes of a ticket that was read."""

    NEW = "new"
    UNCHANGED = "unchanged"
    TWICE = "twice"
    REFUSED = "refused"


class BatchEntry(msgspec.Struct, frozen=True):
    """A ticket of a file, or the reason why there is none; `lost` is what of the file is in no ticket."""

    file: str
    state: ImportState
    ticket: Ticket | None = None
    contradictions: list[str] = []
    lost: list[str] = []
    problem: str = ""


def find_documents(paths: Iterable[str]) -> list[str]:
    """Return the documents at or below some paths, sorted; a file is one whatever it is called."""
    found: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(f"no such file or directory: {path}")
        found += _documents_below(path) if os.path.isdir(path) else [path]
    return sorted(dict.fromkeys(map(os.path.normpath, found)))


def read_documents(
    files: Sequence[str], paths: PathMap, known: Mapping[str, Ticket], directory: str
) -> list[BatchEntry]:
    """Read files as tickets; `known` are those of the directory into which they are to be written."""
    claimed: dict[str, tuple[Ticket, str]] = {}
    return [
        entry
        for file in files
        for read in _read_document(file, paths)
        for entry in [_with_state(read, claimed, known, directory)]
    ]


def read_tickets(text: str, origin: DocumentOrigin, paths: PathMap) -> list[ImportedTicket]:
    """Read a text as the tickets it holds; raises TicketError where it is no ticket."""
    document = read_document(text)
    forms = read_report(document, origin, paths) if is_report(document) else []
    forms = forms or [read_ticket(document, origin, paths)]
    return [_validated(form) for form in forms]


def _read_document(file: str, paths: PathMap) -> Iterator[BatchEntry]:
    try:
        with open(file, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
        forms = read_tickets(
            text, DocumentOrigin(os.path.basename(file), _status_folder(file)), paths
        )
    except OSError as error:
        yield BatchEntry(
            file, ImportState.REFUSED, problem=f"cannot be read: {error.strerror or error}"
        )
    except UnicodeDecodeError as error:
        yield BatchEntry(file, ImportState.REFUSED, problem=f"is not UTF-8 text: {error.reason}")
    except TicketError as error:
        yield BatchEntry(file, ImportState.REFUSED, problem=str(error))
    else:
        lost = missing_text(text, [form.ticket for form in forms])
        for number, form in enumerate(forms):
            shown = [] if number else lost
            yield BatchEntry(file, ImportState.NEW, form.ticket, form.contradictions, shown)


def _with_state(
    entry: BatchEntry,
    claimed: dict[str, tuple[Ticket, str]],
    known: Mapping[str, Ticket],
    directory: str,
) -> BatchEntry:
    """Return what becomes of an entry, beside the files read before it and the tickets there are."""
    ticket = entry.ticket
    if ticket is None:
        return entry
    first, file = claimed.setdefault(ticket.id, (ticket, entry.file))
    if file != entry.file or first is not ticket:
        if first == ticket:
            return msgspec.structs.replace(
                entry, state=ImportState.TWICE, problem=f"the same as {file}"
            )
        told = f"{ticket.id} is the id of {file} too, which says otherwise: {_differing_fields(first, ticket)}"
        return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=told)
    present = known.get(ticket.id)
    if present is None:
        return entry
    if present == ticket:
        return msgspec.structs.replace(entry, state=ImportState.UNCHANGED)
    told = f"{os.path.join(directory, ticket.id)}.yaml is there and differs: {_differing_fields(present, ticket)}"
    return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=told)


def _differing_fields(one: Ticket, other: Ticket) -> str:
    mine, theirs = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    return ", ".join(name for name in mine if mine[name] != theirs[name])


def _validated(form: ImportedTicket) -> ImportedTicket:
    """Hold a ticket against its own types; raises TicketError naming the field that does not fit."""
    try:
        msgspec.convert(msgspec.to_builtins(form.ticket), Ticket)
    except msgspec.ValidationError as error:
        raise TicketError(f"{form.ticket.id}: {error}") from error
    return form


def _status_folder(file: str) -> str:
    """Return the nearest folder above a file whose name says a status, empty without one."""
    folders = os.path.dirname(os.path.abspath(file)).split(os.sep)[::-1][:FOLDERS_ABOVE]
    return next((folder for folder in folders if folder_status(folder)), "")


def _documents_below(directory: str) -> Iterator[str]:
    for above, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(above, name)
