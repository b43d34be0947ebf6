"""Reading many documents: each file on its own, with unique ids, and without changing tickets that exist."""

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
FOLDERS_ABOVE = 2  # `fixed` is the status folder of `fixed/batch1/B1-PT-01.md` too


class ImportState(enum.StrEnum):
    """What an import does with a ticket: only a new one is written."""

    NEW = "new"
    UNCHANGED = "unchanged"
    TWICE = "twice"
    REFUSED = "refused"


class BatchEntry(msgspec.Struct, frozen=True):
    """A ticket of a file, or the problem of the file.

    `missing` is the text that no ticket of the file holds.
    """

    file: str
    state: ImportState
    ticket: Ticket | None = None
    contradictions: list[str] = []
    missing: list[str] = []
    problem: str = ""


def find_documents(paths: Iterable[str]) -> list[str]:
    """Return the documents at or below `paths`, sorted.

    A path of a file counts whatever its name is.

    Raises UsageError for a path that does not exist.
    """
    found: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(f"{path}: no such file or directory")
        found += _documents_below(path) if os.path.isdir(path) else [path]
    return sorted(dict.fromkeys(map(os.path.normpath, found)))


def read_documents(
    files: Sequence[str], paths: PathMap, known: Mapping[str, Ticket], directory: str
) -> list[BatchEntry]:
    """Read files as tickets.

    `known` are the tickets of the target directory, by id.
    """
    claimed: dict[str, tuple[Ticket, str]] = {}
    return [
        entry
        for file in files
        for read in _read_document(file, paths)
        for entry in [_with_state(read, claimed, known, directory)]
    ]


def read_tickets(text: str, origin: DocumentOrigin, paths: PathMap) -> list[ImportedTicket]:
    """Return the tickets of a text.

    Raises TicketError if it is not a ticket or report.
    """
    document = read_document(text)
    if is_report(document):
        return [_validated(imported) for imported in read_report(document, origin, paths)]
    return [_validated(read_ticket(document, origin, paths))]


def _read_document(file: str, paths: PathMap) -> Iterator[BatchEntry]:
    try:
        with open(file, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
        origin = DocumentOrigin(os.path.basename(file), _status_folder(file))
        read = read_tickets(text, origin, paths)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        yield BatchEntry(file, ImportState.REFUSED, problem=problem)
    except UnicodeDecodeError as error:
        yield BatchEntry(file, ImportState.REFUSED, problem=f"not UTF-8 text: {error.reason}")
    except TicketError as error:
        yield BatchEntry(file, ImportState.REFUSED, problem=str(error))
    else:
        missing = missing_text(text, [imported.ticket for imported in read])
        for number, imported in enumerate(read):
            of_file = [] if number else missing
            yield BatchEntry(
                file, ImportState.NEW, imported.ticket, imported.contradictions, of_file
            )


def _with_state(
    entry: BatchEntry,
    claimed: dict[str, tuple[Ticket, str]],
    known: Mapping[str, Ticket],
    directory: str,
) -> BatchEntry:
    """Return an entry with its state, given the tickets of earlier files and those of the directory."""
    ticket = entry.ticket
    if ticket is None:
        return entry
    first, file = claimed.setdefault(ticket.id, (ticket, entry.file))
    if file != entry.file or first is not ticket:
        if first == ticket:
            problem = f"equal to {file}"
            return msgspec.structs.replace(entry, state=ImportState.TWICE, problem=problem)
        differing = _differing_fields(first, ticket)
        problem = f"{ticket.id}: {file} has the same id, but differs in: {differing}"
        return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=problem)
    present = known.get(ticket.id)
    if present is None:
        return entry
    if present == ticket:
        return msgspec.structs.replace(entry, state=ImportState.UNCHANGED)
    differing = _differing_fields(present, ticket)
    problem = f"{os.path.join(directory, ticket.id)}.yaml exists, but differs in: {differing}"
    return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=problem)


def _differing_fields(one: Ticket, other: Ticket) -> str:
    fields, others = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    return ", ".join(name for name in fields if fields[name] != others[name])


def _validated(imported: ImportedTicket) -> ImportedTicket:
    """Return a ticket whose fields have their types.

    Raises TicketError with the invalid field.
    """
    try:
        msgspec.convert(msgspec.to_builtins(imported.ticket), Ticket)
    except msgspec.ValidationError as error:
        raise TicketError(f"{imported.ticket.id}: {error}") from error
    return imported


def _status_folder(file: str) -> str:
    """Return the nearest folder above a file whose name is a status, empty without one."""
    folders = os.path.dirname(os.path.abspath(file)).split(os.sep)[::-1][:FOLDERS_ABOVE]
    return next((folder for folder in folders if folder_status(folder)), "")


def _documents_below(directory: str) -> Iterator[str]:
    for above, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(above, name)
