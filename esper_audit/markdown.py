"""Small pieces of Markdown: text that must not break a table, code, links."""

from __future__ import annotations


def cell(text: str) -> str:
    """Return text fit for a table cell: one line, no bare pipe, no markup by accident."""
    one_line = " ".join(text.split())
    return one_line.replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    """Return text as inline code fit for a table cell; nothing for nothing."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    if not one_line:
        return ""
    fence = "``" if "`" in one_line else "`"
    pad = " " if "`" in one_line else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def sentence(text: str) -> str:
    """Return a clause as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
