"""Tickets on disk: one YAML file each, read strictly, and updated so that what a person wrote stays byte for byte."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec
import yaml

from esper_audit.errors import TicketError
from esper_audit.ticket import Ticket
from esper_audit.writing import replace_file

SUFFIX = ".yaml"
WIDTH = 100


class TicketStore:
    """The folder of tickets of a project."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def load(self) -> dict[str, Ticket]:
        """Return every ticket by id; the first file that is not one is a TicketError."""
        if not os.path.isdir(self.directory):
            return {}
        files = sorted(name for name in os.listdir(self.directory) if name.endswith(SUFFIX))
        tickets = [read_ticket(os.path.join(self.directory, name)) for name in files]
        return {ticket.id: ticket for ticket in tickets}

    def save(self, ticket: Ticket, before: Ticket | None) -> None:
        """Write a ticket that is new (`before` is None) or differs from what the file holds."""
        path = self.path(ticket.id)
        os.makedirs(self.directory, exist_ok=True)
        if before is None:
            replace_file(path, _dump(_fields(ticket)).encode())
            return
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        after, old = _fields(ticket), _fields(before)
        changed = {
            key: after.get(key) for key in {**old, **after} if after.get(key) != old.get(key)
        }
        if changed:
            replace_file(path, spliced(text, changed).encode())

    def path(self, ticket_id: str) -> str:
        """Return the file of a ticket."""
        return os.path.join(self.directory, ticket_id + SUFFIX)


def read_ticket(path: str) -> Ticket:
    """Read one ticket; raises TicketError with file, line and key."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader, without dates
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TicketError(f"{path}: {' '.join(str(error).split())}") from error
    try:
        ticket = msgspec.convert(content, Ticket)
    except msgspec.ValidationError as error:
        raise TicketError(f"{path}:{_line_of(text, str(error))}: {error}") from error
    if os.path.basename(path) != ticket.id + SUFFIX:
        raise TicketError(
            f"{path}:1: the file of ticket {ticket.id} must be called {ticket.id}{SUFFIX}"
        )
    return ticket


def spliced(text: str, changed: dict[str, Any]) -> str:
    """Return a ticket's text with some top-level keys replaced, added or (None) taken out.

    Everything else, comments, order, quoting and trailing spaces included, stays as it stands.
    """
    lines = text.splitlines(keepends=True)
    newline = (
        "\r\n" if text.startswith(tuple(line for line in lines if line.endswith("\r\n"))) else "\n"
    )
    for key, value in changed.items():
        written = _dump({key: value}) if value is not None else ""
        fresh = [line + newline for line in written.splitlines()]
        first, last = _extent(lines, key)
        if fresh and first == len(lines) and lines and not lines[-1].endswith("\n"):
            lines[-1] += newline
        lines[first:last] = fresh
    return "".join(lines)


def _extent(lines: list[str], key: str) -> tuple[int, int]:
    """Return the lines of a top-level key's entry, without the blank lines and comments behind it."""
    start = next((i for i, line in enumerate(lines) if _key_of(line) == key), None)
    if start is None:
        return len(lines), len(lines)
    end = start + 1
    while end < len(lines) and _key_of(lines[end]) is None:
        end += 1
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return start, end


def _key_of(line: str) -> str | None:
    match = re.match(r"([A-Za-z_]+):(\s|$)", line)
    return match[1] if match else None


def _fields(ticket: Ticket) -> dict[str, Any]:
    """Return what is written of a ticket: required keys always, the others where they say something."""
    content: dict[str, Any] = msgspec.to_builtins(ticket)
    return content


def _dump(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _line_of(text: str, message: str) -> int:
    """Return the line of the key that an error speaks of, 1 if it names none that is there."""
    path = re.search(r"at `\$\.?([A-Za-z_]*)", message)
    field = re.search(r"field `([^`]*)`", message)
    keys = [m[1] for m in (field, path) if m and m[1]]
    for number, line in enumerate(text.splitlines(), 1):
        if any(line.strip().removeprefix("- ").startswith(f"{key}:") for key in keys):
            return number
    return 1


class _Loader(yaml.CSafeLoader):
    """Dates stay text: a ticket's date is written as it is read."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.CSafeDumper):
    """Text of several lines is written as a block, as a person would."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
