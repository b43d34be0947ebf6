"""Styled text for the terminal."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
WIDTH = 80


class StyledText(NamedTuple):
    """Text and its style on a terminal, in the syntax of rich (empty for plain text)."""

    text: str
    style: str = ""


def show_control_characters(part: StyledText) -> StyledText:
    """Return text with visible symbols for control characters, which audited code may contain."""
    return StyledText(part.text.translate(CONTROL_PICTURES), part.style)


def wrapped(text: str, indent: str, further: str = "") -> str:
    """Return prose wrapped to WIDTH columns, with a line end.

    Words and paths are not broken.
    """
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
