"""Reading many documents: each file on its own, with unique ids, and without changing tickets that exist."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.findings.errors import TicketError, UsageError, reason_of
from esper_audit.tickets.importing.file_kinds import SUFFIXES, read_file
from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.statuses import folder_status
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.markdown_import.ticket_reader import ImportedTicket
from esper_audit.tickets.parts import AsWritten
from esper_audit.tickets.ticket import Ticket

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


class BatchReader:
    """Reads files as tickets.

    `known` are the tickets of the target directory, by id. `settle` returns the ticket as its page gives it
    again. With `rename` the second of two different tickets with an id gets a number behind it. `columns`
    maps fields to headers of a table.
    """

    def __init__(
        self,
        paths: PathMap,
        known: Mapping[str, Ticket],
        directory: str,
        *,
        settle: Callable[[Ticket], Ticket] = lambda ticket: ticket,
        rename: bool = False,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self._paths = paths
        self._known = known
        self._directory = directory
        self._settle = settle
        self._rename = rename
        self._columns = columns
        self._claimed: dict[str, tuple[Ticket, str]] = {}

    def read(self, files: Iterable[str]) -> list[BatchEntry]:
        """Return an entry for each ticket of the files, and for each file that is refused."""
        return [self._with_state(entry) for file in files for entry in self._read_document(file)]

    def _read_document(self, file: str) -> Iterator[BatchEntry]:
        try:
            with open(file, "rb") as stream:
                text = stream.read().decode("utf-8-sig")
            origin = DocumentOrigin(os.path.basename(file), _status_folder(file))
            read = read_file(text, origin, self._paths, self._is_free, self._columns)
        except OSError as error:
            problem = f"cannot be read: {reason_of(error)}"
            yield BatchEntry(file, ImportState.REFUSED, problem=problem)
        except UnicodeDecodeError as error:
            yield BatchEntry(file, ImportState.REFUSED, problem=f"not UTF-8 text: {error.reason}")
        except TicketError as error:
            yield BatchEntry(file, ImportState.REFUSED, problem=str(error))
        else:
            settled, missing = self._settled(read.text, read.tickets)
            missing = [*missing, *read.unread]
            for number, imported in enumerate(settled):
                of_file = [] if number else missing
                yield BatchEntry(
                    file, ImportState.NEW, imported.ticket, imported.contradictions, of_file
                )

    def _settled(
        self, text: str, read: Sequence[ImportedTicket]
    ) -> tuple[Sequence[ImportedTicket], list[str]]:
        """Return tickets as their pages give them again, unless text is lost by it, and the missing text."""
        settled = [msgspec.structs.replace(one, ticket=self._settle(one.ticket)) for one in read]
        missing = missing_text(text, [one.ticket for one in settled])
        if missing and settled != read:
            before = missing_text(text, [one.ticket for one in read])
            if len(before) < len(missing):
                return read, before
        return settled, missing

    def _is_free(self, ticket_id: str, report: str) -> bool:
        """Return whether an id belongs to no other report of this batch or of the directory."""
        taken = [self._claimed[ticket_id][0]] if ticket_id in self._claimed else []
        taken += [self._known[ticket_id]] if ticket_id in self._known else []
        return all(ticket.report == report for ticket in taken)

    def _with_state(self, entry: BatchEntry) -> BatchEntry:
        """Return an entry with its state, given the tickets of earlier files and those of the directory."""
        ticket = entry.ticket
        if ticket is None:
            return entry
        first, file = self._claimed.setdefault(ticket.id, (ticket, entry.file))
        if first is not ticket:
            if first == ticket:
                problem = f"equal to {file}"
                return msgspec.structs.replace(entry, state=ImportState.TWICE, problem=problem)
            if self._rename:
                return self._with_state(self._renamed(entry, ticket))
            kept = f"{ticket.id}: {file} has the same id and is kept"
            problem = (
                f"{kept}; this one differs in: {_differing_fields(first, ticket)}. Use --rename."
            )
            return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=problem)
        present = self._known.get(ticket.id)
        if present is None:
            return entry
        if present == ticket:
            return msgspec.structs.replace(entry, state=ImportState.UNCHANGED)
        if self._rename and present.source != ticket.source:
            del self._claimed[ticket.id]
            return self._with_state(self._renamed(entry, ticket))
        differing = _differing_fields(present, ticket)
        kept = f"{os.path.join(self._directory, ticket.id)}.yaml exists and is kept"
        problem = f"{kept}; this one differs in: {differing}"
        return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=problem)

    def _renamed(self, entry: BatchEntry, ticket: Ticket) -> BatchEntry:
        """Return an entry whose ticket has the first free id with a number, or that of an equal ticket."""
        number = 2
        while True:
            name = f"{ticket.id}-{number}"
            words = AsWritten(field="id", where="head", words=ticket.id)
            renamed = msgspec.structs.replace(
                ticket, id=name, as_written=[words, *ticket.as_written]
            )
            renamed = self._settle(renamed)
            claimed = self._claimed[name][0] if name in self._claimed else None
            present = self._known.get(name)
            if all(one in (None, renamed) for one in (claimed, present)):
                return msgspec.structs.replace(entry, ticket=renamed)
            number += 1


def _differing_fields(one: Ticket, other: Ticket) -> str:
    fields, others = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    return ", ".join(name for name in fields if fields[name] != others[name])


def _status_folder(file: str) -> str:
    """Return the nearest folder above a file whose name is a status, empty without one."""
    folders = os.path.dirname(os.path.abspath(file)).split(os.sep)[::-1][:FOLDERS_ABOVE]
    return next((folder for folder in folders if folder_status(folder)), "")


def other_files(paths: Iterable[str]) -> list[str]:
    """Return the files below directories that no reader takes, by their names."""
    below = (file for path in paths if os.path.isdir(path) for file in _files_below(path))
    return [
        name for file in below if not (name := os.path.basename(file)).lower().endswith(SUFFIXES)
    ]


def _documents_below(directory: str) -> Iterator[str]:
    return (file for file in _files_below(directory) if file.lower().endswith(SUFFIXES))


def _files_below(directory: str) -> Iterator[str]:
    for above, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(above, name) for name in names if not name.startswith("."))
