"""Reading tables, also with unclosed rows and unescaped pipes in code."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import MarkdownBlock

DELIMITER = re.compile(r"\s*:?-+:?\s*")
PIPE_IN_CELL = "\\|"
PIPE = re.compile(r"(?<!\\)\|")
CODE_OR_PIPE = re.compile(r"(?P<code>(?P<fence>`+)(?:(?!(?P=fence)).)+(?P=fence))|(?<!\\)\|")


class MarkdownTable(msgspec.Struct, frozen=True):
    """The cells of a table with unescaped pipes.

    `header` is empty without a delimiter row.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def every_row(self) -> tuple[tuple[str, ...], ...]:
        """The header, if there is one, and the rows."""
        return (self.header, *self.rows) if self.header else self.rows


def read_table(block: MarkdownBlock) -> MarkdownTable:
    """Return the cells of a table.

    Rows have the length of the header, else of the longest row.
    """
    lines = [line for line in block.lines if line.strip()]
    delimiter = next((n for n, line in enumerate(lines) if _is_delimiter(line)), None)
    body = [line for line in lines if not _is_delimiter(line)]
    if delimiter == 1:
        header = _cells(lines[0], 0)
        width = len(header)
        return MarkdownTable(tuple(header), tuple(_row(line, width) for line in body[1:]))
    width = max((len(_cells(line, 0)) for line in body), default=0)
    return MarkdownTable((), tuple(_row(line, width) for line in body))


def row_text(cells: Sequence[str]) -> str:
    """Return the Markdown of a row."""
    return f"| {' | '.join(cell.replace('|', PIPE_IN_CELL) for cell in cells)} |"


def _row(line: str, width: int) -> tuple[str, ...]:
    cells = _cells(line, width)
    if len(cells) > width:
        cells = [*cells[: width - 1], " | ".join(cells[width - 1 :])]
    return (*cells, *[""] * (width - len(cells)))


def _cells(line: str, width: int) -> list[str]:
    """Split a row at its pipes.

    Pipes inside code do not count if there are more than `width` cells.
    """
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    cells = PIPE.split(inner)
    if width and len(cells) > width:
        cells = _split_outside_code(inner)
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _split_outside_code(text: str) -> list[str]:
    cuts = [match.start() for match in CODE_OR_PIPE.finditer(text) if match["code"] is None]
    return [text[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(text)], strict=True)]


def _is_delimiter(line: str) -> bool:
    return "-" in line and all(map(DELIMITER.fullmatch, _raw_cells(line)))


def _raw_cells(line: str) -> Sequence[str]:
    return line.strip().removeprefix("|").removesuffix("|").split("|")
