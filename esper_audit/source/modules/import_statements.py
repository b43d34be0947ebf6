"""The import statements of a file, read from its text: no parser is needed, and an unreadable file has them too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# It starts with a literal, which is quick to search for; what is before it is checked for each hit.
IMPORT = re.compile(rb"import(?:[ \t]*\(([^)]*)\)|[ \t]+([^\n;#(]*(?:\\\n[^\n;#]*)*))")
FROM = re.compile(rb"(?:.*;)?\s*from\s+([.\w]+)\s+")
PLAIN = re.compile(rb"(?:.*;)?\s*")
COMMENT = re.compile(rb"#[^\n]*")
NAME = re.compile(rb"[.\w]+|\*")


class ImportStatement(NamedTuple):
    """An import: its offset in bytes, its module with leading dots, and the names that it takes from that."""

    offset: int
    module: str
    names: tuple[str, ...]


def import_statements(data: bytes) -> Iterator[ImportStatement]:
    """Yield the imports of a file at any depth, also those that its docstrings show."""
    for match in IMPORT.finditer(data):
        line = data.rfind(b"\n", 0, match.start()) + 1
        before = data[line : match.start()]
        names = tuple(_names(match[1] or match[2] or b""))
        start = FROM.fullmatch(before)
        if start is not None and names:
            yield ImportStatement(line, start[1].decode(errors="replace"), names)
        elif PLAIN.fullmatch(before):
            yield from (ImportStatement(line, name, ()) for name in names if name != "*")


def _names(text: bytes) -> Iterator[str]:
    for part in COMMENT.sub(b"", text).split(b","):
        name = NAME.search(part)
        if name is not None:
            yield name[0].decode(errors="replace")
