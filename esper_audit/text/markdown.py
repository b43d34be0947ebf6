"""Fragments of Markdown: table cells, code, tables, labels, counted nouns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

BLOCK_START = re.compile(r"\s*([-*+] |\d+[.)] |```|~~~|#|\||>|    |\t)")


def cell(text: str) -> str:
    """Return plain text for a table cell: one line, with pipes and `<` escaped."""
    return markdown_cell(text).replace("<", "&lt;")


def markdown_cell(text: str) -> str:
    """Return Markdown for a table cell: one line, with pipes escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Return text as inline code for a table cell.

    Empty text stays empty.
    """
    return inline_code(text.replace("|", "\\|"))


def inline_code(text: str) -> str:
    """Return text as inline code for a line outside a table.

    Empty text stays empty.
    """
    one_line = " ".join(text.split())
    if not one_line:
        return ""
    fence = "``" if "`" in one_line else "`"
    pad = " " if "`" in one_line else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def fenced(text: str, language: str) -> str:
    """Return a block of code whose fence is longer than any fence inside it."""
    runs = re.findall(r"^ *(`{3,})", text, re.MULTILINE)
    fence = "`" * max([3, *(len(run) + 1 for run in runs)])
    return f"{fence}{language}\n{text}\n{fence}"


def labelled(label: str, text: str) -> str:
    """Return `**label:** text`.

    Text that begins with a block (list, code, table) starts a paragraph.
    """
    text = text.strip("\n")
    separator = "\n\n" if BLOCK_START.match(text) else " "
    return f"**{label}:**{separator}{text}" if text.strip() else ""


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown cells."""
    lines = [f"| {' | '.join(map(markdown_cell, row))} |" for row in [columns, *rows]]
    rule = "|".join("-" * (len(column) + 2) for column in columns)
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def sentence(text: str) -> str:
    """Return a clause as a sentence, with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`, `3 policies`, `4 classes`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("s"):
        return f"{number:,} {noun}es"
    ending_in_y = noun.endswith("y") and noun[-2] not in "aeiou"
    return f"{number:,} {noun[:-1]}ies" if ending_in_y else f"{number:,} {noun}s"


def names_by_reason(reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield names with the reason that they share, the names as the first and the number of others."""
    named: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        named.setdefault(reason, []).append(name)
    for reason, names in named.items():
        more = len(names) - 1
        yield f"{names[0]} and {count(more, 'other')}" if more else names[0], reason


def listed(words: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
