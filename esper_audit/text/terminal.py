"""NEW esper_audit/text/terminal.py."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}


WIDTH = 80


class StyledText(NamedTuple):
    """A stretch of text and the style it has on a terminal (empty for plain)."""

    text: str
    style: str = ""


def show_control_characters(piece: StyledText) -> StyledText:
    """Show the control characters of audited code instead of obeying them."""
    return StyledText(piece.text.translate(CONTROL_PICTURES), piece.style)


def wrapped(text: str, indent: str, further: str = "") -> str:
    """Return prose fit for a narrow terminal; words, and so paths, are never broken."""
    return (
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + further,
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
    )
