"""The folder of tickets: one YAML file each, read strictly, updated without touching unchanged values."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from esper_audit.findings.errors import ChangedMeanwhileError, TicketError, reason_of
from esper_audit.project.atomic_write import (
    directory_lock,
    remove_leftovers,
    write_file,
)
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import content_digest, package_fingerprint
from esper_audit.tickets.ticket import Ticket
from esper_audit.tracking.ticket_folder import SUFFIX, ticket_files

MOST_ATTEMPTS = 20  # of one save while other processes change the file


class TicketStore:
    """The folder of tickets of a project."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the folder against other processes, so that none changes a ticket between load and save.

        Raises WriteError if the folder cannot be made.
        """
        with directory_lock(self.directory):
            remove_leftovers(self.directory)
            yield

    def load(self, known: Mapping[str, Ticket] | None = None) -> dict[str, Ticket]:
        """Return every ticket by id, those of an earlier load (`known`) where they are equal.

        Raises one TicketError with a line for each invalid file.
        """
        names = ticket_files(self.directory)
        if not names:
            return {}
        root = os.path.realpath(self.directory)
        cache = ContentCache(root, "tickets", package_fingerprint(), Ticket, encodes_late=True)
        tickets: dict[str, Ticket] = {}
        problems: list[str] = []
        for name in names:
            try:
                ticket = _load_cached(os.path.join(self.directory, name), cache)
            except TicketError as error:
                problems.append(str(error))
            else:
                before = known.get(ticket.id) if known else None
                tickets[ticket.id] = before if before is not None and before == ticket else ticket
        if problems:
            raise TicketError("\n".join(problems))
        cache.save(keep={os.path.basename(self.path(ticket)) for ticket in tickets})
        return tickets

    def save(self, ticket: Ticket, before: Ticket | None) -> bool:
        """Write a ticket, or its changes since `before`, and return whether the file changed.

        Values that are equal in both stay byte for byte. A file that a user saves meanwhile is read
        again. Raises TicketError where the file has another value of a changed key by now, and where a
        new ticket (`before` is None) has a file already. Raises WriteError.
        """
        path = self.path(ticket.id)
        try:
            return self._create(path, ticket) if before is None else _update(path, before, ticket)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise TicketError(
                f"{relative_path(path)}: cannot be written as UTF-8 (got the character {character!a})"
            ) from error

    def path(self, ticket_id: str) -> str:
        """Return the file of a ticket."""
        return os.path.join(self.directory, ticket_id + SUFFIX)

    def line(self, ticket_id: str, key: tuple[str | int, ...]) -> str:
        """Return `file:line` of a key of a ticket."""
        from esper_audit.tickets.decode import line_of_key

        path = self.path(ticket_id)
        return f"{relative_path(path)}:{line_of_key(_text(_read(path)), key)}"

    def _create(self, path: str, ticket: Ticket) -> bool:
        from esper_audit.tickets.yaml_edit.emit import mapping_lines

        if os.path.lexists(path):
            raise TicketError(
                f"{relative_path(path)}:1: id: there is a ticket with this id already. Choose another id."
            )
        content: dict[str, Any] = msgspec.to_builtins(ticket)
        write_file(path, ("\n".join(mapping_lines(content)) + "\n").encode())
        return True


def relative_path(path: str) -> str:
    """Return a path relative to the working directory, unless it is outside."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _update(path: str, before: Ticket, ticket: Ticket) -> bool:
    """Write the changes of a ticket since `before`, again for a file that changes meanwhile."""
    for _ in range(MOST_ATTEMPTS - 1):
        with contextlib.suppress(ChangedMeanwhileError):
            return _update_once(path, before, ticket)
    return _update_once(path, before, ticket)


def _update_once(path: str, before: Ticket, ticket: Ticket) -> bool:
    """Write the changes of a ticket since `before` and return whether the file changed.

    Raises ChangedMeanwhileError if the file is not the one that was read.
    """
    from esper_audit.tickets.encode import updated_text

    data = _read(path)
    try:
        text = updated_text(_text(data), before, ticket)
    except TicketError as error:
        raise TicketError(f"{relative_path(path)}:{error}") from error
    if text.encode() == data:
        return False
    write_file(path, text.encode(), expected=data)
    return True


def _load_cached(path: str, cache: ContentCache[Ticket]) -> Ticket:
    data = _read(path)
    name = os.path.basename(path)
    digest = content_digest(data)
    ticket = cache.get(name, digest)
    if ticket is None:
        ticket = _parse(path, data)
        cache.put(name, digest, ticket)
    return ticket


def _parse(path: str, data: bytes) -> Ticket:
    from esper_audit.tickets.decode import read_ticket_text

    try:
        ticket = read_ticket_text(_text(data)).ticket
    except TicketError as error:
        raise TicketError(f"{relative_path(path)}:{error}") from error
    if os.path.basename(path) != ticket.id + SUFFIX:
        raise TicketError(
            f"{relative_path(path)}:1: id: the file of ticket {ticket.id} must be called {ticket.id}{SUFFIX}"
        )
    return ticket


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise TicketError(f"{relative_path(path)}:1: cannot be read: {reason_of(error)}") from error


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TicketError(f"{line}: not UTF-8: {error.reason}") from error
