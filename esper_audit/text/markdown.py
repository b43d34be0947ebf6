"""Small pieces of Markdown: text that must not break a table, code, fences, links."""

from __future__ import annotations

import re

BLOCK_START = re.compile(r"\s*([-*+] |\d+[.)] |```|~~~|#|\||>|    |\t)")


def cell(text: str) -> str:
    """Return text fit for a table cell: one line, no bare pipe, no markup by accident."""
    return markdown_cell(text).replace("<", "&lt;")


def markdown_cell(text: str) -> str:
    """Return Markdown fit for a table cell: one line, no bare pipe; the rest is as it was written."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Return text as inline code fit for a table cell; nothing for nothing."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    if not one_line:
        return ""
    fence = "``" if "`" in one_line else "`"
    pad = " " if "`" in one_line else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def fenced(text: str, language: str) -> str:
    """Return a block of code whose fence is longer than any inside it."""
    runs = re.findall(r"^ *(`{3,})", text, re.MULTILINE)
    fence = "`" * max(3, *(len(run) + 1 for run in runs), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def labelled(label: str, text: str) -> str:
    """Return `**label:** text`; text that begins with a list, code or a table starts on its own line."""
    text = text.strip("\n")
    apart = "\n\n" if BLOCK_START.match(text) else " "
    return f"**{label}:**{apart}{text}" if text.strip() else ""


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown cells."""
    lines = [f"| {' | '.join(map(markdown_cell, row))} |" for row in [columns, *rows]]
    rule = "|".join("-" * (len(column) + 2) for column in columns)
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def sentence(text: str) -> str:
    """Return a clause as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
