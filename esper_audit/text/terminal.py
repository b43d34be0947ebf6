"""Styled text for the terminal, and the number of columns that it is laid out for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

CONTROL_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
SEVERITY_STYLES = {"P0": "bold red", "P1": "red", "P2": "red", "P3": "yellow", "P4": "dim"}
WIDTH = 80
NARROWEST = 40
WIDEST_PROSE = 100  # longer lines are tiring to read
CUT = "..."
UNLIMITED = 0
_columns: ContextVar[int] = ContextVar("columns", default=UNLIMITED)


class StyledText(NamedTuple):
    """Text and its style on a terminal, in the syntax of rich (empty for plain text)."""

    text: str
    style: str = ""


@contextmanager
def laid_out_for(columns: int) -> Iterator[None]:
    """Lay text out for a terminal of so many columns, or for no terminal with UNLIMITED."""
    token = _columns.set(max(columns, NARROWEST) if columns else UNLIMITED)
    try:
        yield
    finally:
        _columns.reset(token)


def width() -> int:
    """Return the columns of the terminal, WIDTH where the output goes elsewhere."""
    return _columns.get() or WIDTH


def prose_width() -> int:
    """Return the columns that prose is wrapped to."""
    return min(width(), WIDEST_PROSE)


def cut_to_screen(line: str, indent: int) -> str:
    """Return a line of code cut at the edge of the terminal, whole where the output goes elsewhere."""
    space = _columns.get() - indent
    if not _columns.get() or len(line.expandtabs()) <= space:
        return line
    return line[: max(space - len(CUT), 1)] + CUT


def show_control_characters(part: StyledText) -> StyledText:
    """Return text with visible symbols for control characters, which audited code may contain."""
    return StyledText(part.text.translate(CONTROL_PICTURES), part.style)


def wrapped(text: str, indent: str, further: str = "") -> str:
    """Return prose wrapped to the columns of prose, with a line end.

    Words and paths are not broken.
    """
    return (
        textwrap.fill(
            text,
            prose_width(),
            initial_indent=indent,
            subsequent_indent=indent + further,
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
    )
