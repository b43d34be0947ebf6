"""The parsed files of a tree, of which the least recently used are dropped beyond a number of lines."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Callable

from esper_audit.findings.finding import Span
from esper_audit.source.syntax.source import Source, decode, parse

# A line takes about 2.5 KB as a syntax tree, and 0.1 KB as text.
MOST_LINES_PARSED = 50_000
MOST_FILES_AS_TEXT = 64
LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class SourceCache:
    """Parses files on demand.

    It keeps syntax trees of at most `most_lines` lines, and always that of the last file. A caller that
    keeps a node keeps its whole tree in memory, so a result for later has positions and text only.
    """

    def __init__(
        self, content: Callable[[str], bytes | None], most_lines: int = MOST_LINES_PARSED
    ) -> None:
        self._content = content
        self._most_lines = most_lines
        self._kept: OrderedDict[str, tuple[Source, int]] = OrderedDict()
        self._lines_kept = 0
        self._unreadable: set[str] = set()
        self._texts: OrderedDict[str, list[str]] = OrderedDict()

    def source(self, path: str) -> Source | None:
        """Return a file with its text and `ast`, or None if it could not be read or parsed."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path][0]
        if path in self._unreadable:
            return None
        data = self._content(path)
        lines = data.count(b"\n") + 1 if data is not None else 0
        self._make_room(lines)
        parsed = parse(path, data) if data is not None else None
        if not isinstance(parsed, Source):
            self._unreadable.add(path)
            return None
        self._kept[path] = (parsed, lines)
        self._lines_kept += lines
        return parsed

    def lines(self, path: str) -> list[str]:
        r"""Return the lines of a file that parses, each ending in a bare `\n`, without parsing it again."""
        if path in self._kept:
            return self._kept[path][0].lines
        if path in self._texts:
            self._texts.move_to_end(path)
            return self._texts[path]
        data = self._content(path)
        assert data is not None, path
        if len(self._texts) >= MOST_FILES_AS_TEXT:
            self._texts.popitem(last=False)
        self._texts[path] = io.StringIO(decode(data), newline=None).readlines()
        return self._texts[path]

    def segment(self, path: str, span: Span) -> str:
        """Return the text of a span of a file, with its own line ends."""
        data = self._content(path)
        has_own_ends = data is not None and b"\r" in data
        lines = LINES.findall(decode(data or b"")) if has_own_ends else self.lines(path)
        first, last = lines[span.line - 1], lines[span.end_line - 1]
        if span.line == span.end_line:
            return first[span.column : span.end_column]
        inner = lines[span.line : span.end_line - 1]
        return "".join([first[span.column :], *inner, last[: span.end_column]])

    def _make_room(self, lines: int) -> None:
        """Drop the least recently used trees until one of some lines fits."""
        while self._kept and self._lines_kept + lines > self._most_lines:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._lines_kept -= dropped
