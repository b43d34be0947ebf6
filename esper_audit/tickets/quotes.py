"""Code that tickets quote, and whether a file still contains its lines, at any place and indentation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import msgspec

from esper_audit.tickets.ticket import Ticket

PLACE = re.compile(r"(?P<path>[^\s:]+)(?::.*)?")
OMISSION = re.compile(r"(?:#\s*)?(?:\.{3}|…).*|.*(?:\.{3}|…)[,)\]}:\s]*")
COMMENT = re.compile(r"\s+#\s.*$|^#.*$")


class Quote(msgspec.Struct, frozen=True):
    """Quoted code: the position of the evidence in its ticket, the file, and the code."""

    position: int
    path: str
    code: str


class QuotedFiles:
    """The lines of the files of a tree, read on demand.

    `absent` contains the files that are missing or cannot be read.
    """

    def __init__(self, root: str, files: Iterable[str]) -> None:
        self._root = root
        self._files = frozenset(files)
        self._read: dict[str, list[str]] = {}
        self.absent: set[str] = set()

    def lines(self, path: str) -> list[str] | None:
        """Return the lines of a file, None if it is not in the tree or cannot be read."""
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
    """Yield the code that a ticket quotes, from the place in its evidence or else from the ticket's."""
    located = ticket.locations[0].path if ticket.locations else ""
    for position, evidence in enumerate(ticket.evidence):
        named = PLACE.fullmatch(evidence.place)
        path = _own_path(named["path"], ticket) if named else located
        is_code = evidence.code and evidence.language in ("python", "py", "")
        if path and is_code and not ticket.fingerprint:
            yield Quote(position, path, evidence.code)


def missing_line(code: str, lines: Iterable[str]) -> str:
    """Return the first line of a quotation that a file does not contain, empty if it contains all.

    Indentation, comments, and lines that mark an omission (`...`) do not count.
    """
    contained = {_plain(line) for line in lines}
    for line in code.splitlines():
        quoted = _plain(line)
        if quoted and quoted not in contained and not OMISSION.fullmatch(line.strip()):
            return line.strip()
    return ""


def _plain(line: str) -> str:
    return " ".join(COMMENT.sub("", line).split())


def _own_path(path: str, ticket: Ticket) -> str:
    """Return the ticket's path of a file that has another path on another machine."""
    names = [place.path for place in ticket.locations]
    tail = path.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == tail]
    return path if path in names or not same else same[0]
