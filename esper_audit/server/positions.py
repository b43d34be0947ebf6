"""Positions of a document in the units of the client, for ranges that count characters."""

from __future__ import annotations

import io

from lsprotocol import types
from pygls.workspace import PositionCodec, ServerTextPosition


class Positions:
    """The lines of a text, as Python counts them, and the codec that the client has agreed on."""

    def __init__(self, text: str, codec: PositionCodec) -> None:
        self.lines = io.StringIO(text, newline="").readlines()
        self._codec = codec

    def position(self, line: int, column: int) -> types.Position:
        """Return a position of the client for a line and column that count from 1."""
        before = self.lines[line - 1][: column - 1] if line <= len(self.lines) else ""
        return types.Position(line - 1, self._codec.client_num_units(before))

    def range(self, line: int, column: int, end_line: int, end_column: int) -> types.Range:
        """Return a range of the client, the end exclusive."""
        return types.Range(self.position(line, column), self.position(end_line, end_column))

    def line_range(self, line: int) -> types.Range:
        """Return the range of a whole line without its end, of the first line where there is no such line."""
        number = line if 0 < line <= len(self.lines) else 1
        text = self.lines[number - 1].rstrip("\r\n") if self.lines else ""
        return self.range(number, 1, number, len(text) + 1)

    def whole(self) -> types.Range:
        """Return the range of the whole text."""
        last = self.lines[-1] if self.lines else ""
        if last.endswith(("\n", "\r")):
            return types.Range(types.Position(0, 0), types.Position(len(self.lines), 0))
        return self.range(1, 1, max(1, len(self.lines)), len(last) + 1)

    def place(self, position: types.Position) -> tuple[int, int]:
        """Return the line and column, from 1, of a position of the client."""
        if position.line >= len(self.lines):
            return position.line + 1, 1
        found: ServerTextPosition = self._codec.position_from_client_units(self.lines, position)
        return found.line + 1, found.character + 1
