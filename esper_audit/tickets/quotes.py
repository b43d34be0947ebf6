"""Code that tickets quote, and whether the files of this tree still hold it, wherever in them and however indented."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import msgspec

from esper_audit.tickets.ticket import Ticket

PLACE = re.compile(r"(?P<path>[^\s:]+)(?::.*)?")
LEFT_OUT = re.compile(r"(?:#\s*)?(?:\.{3}|…).*|.*(?:\.{3}|…)[,)\]}:\s]*")
COMMENT = re.compile(r"\s+#\s.*$|^#.*$")


class Quote(msgspec.Struct, frozen=True):
    """A quotation: which evidence of its ticket it is, from which file, and the code."""

    position: int
    path: str
    code: str


class Sources:
    """The files of a tree, read when they are asked for; `absent` are those that are not here."""

    def __init__(self, root: str, files: Iterable[str]) -> None:
        self._root = root
        self._files = frozenset(files)
        self._read: dict[str, list[str]] = {}
        self.absent: set[str] = set()

    def lines(self, path: str) -> list[str] | None:
        """Return the lines of a file, None for one that is not in the tree or cannot be read."""
        if path not in self._files:
            self.absent.add(path)
            return None
        if path not in self._read:
            try:
                with open(os.path.join(self._root, path), encoding="utf-8") as file:
                    self._read[path] = file.read().splitlines()
            except (OSError, UnicodeDecodeError):
                self.absent.add(path)
                return None
        return self._read[path]


def quotes_of(ticket: Ticket) -> Iterator[Quote]:
    """Yield the code that a ticket quotes: evidence that is code, from the place it names or the ticket's."""
    located = ticket.locations[0].path if ticket.locations else ""
    for position, evidence in enumerate(ticket.evidence):
        named = PLACE.fullmatch(evidence.place)
        path = _here(named["path"], ticket) if named else located
        is_code = evidence.code and evidence.language in ("python", "py", "")
        if path and is_code and not ticket.fingerprint:
            yield Quote(position, path, evidence.code)


def missing_line(code: str, lines: Iterable[str]) -> str:
    """Return the first line of a quotation that a file does not hold, empty if it holds all.

    Indentation, comments, and lines in which something is left out (`...`) do not count.
    """
    held = {_plain(line) for line in lines}
    for line in code.splitlines():
        wanted = _plain(line)
        if wanted and wanted not in held and not LEFT_OUT.fullmatch(line.strip()):
            return line.strip()
    return ""


def _plain(line: str) -> str:
    return " ".join(COMMENT.sub("", line).split())


def _here(path: str, ticket: Ticket) -> str:
    """Return the ticket's own path for one that names the same file on another machine."""
    names = [place.path for place in ticket.locations]
    tail = path.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == tail]
    return path if path in names or not same else same[0]
