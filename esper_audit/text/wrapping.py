"""Markdown for the terminal: paragraphs and list items wrapped, code and tables unchanged."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from esper_audit.text.terminal import prose_width

FENCE = re.compile(r"\s*(`{3,}|~{3,})")
ITEM = re.compile(r"(?P<mark>\s*(?:[-*+]|\d+[.)]) (?:\[[ xX]\] )?)(?P<text>.*)")
VERBATIM = re.compile(r"\s*(\||>)|    ")
HEADING = re.compile(r" {0,3}#{1,6} (?P<text>.*?)(?: #+)?\s*")
BOLD = re.compile(r"\*\*(?=\S)(.+?)\*\*")
CODE_INDENT = "  "


def prose(text: str, indent: str) -> str:
    """Return Markdown wrapped to the columns of prose, with a line end.

    Code and tables may be wider.
    """
    lines = (
        indent + line if line.strip() else ""
        for line in _laid_out_lines(text, prose_width() - len(indent))
    )
    return "\n".join(lines).strip("\n") + "\n"


def _laid_out_lines(text: str, width: int) -> Iterator[str]:
    paragraph: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark, heading = FENCE.match(line), HEADING.fullmatch(line)
        is_continuation = paragraph and line.startswith("    ")
        is_verbatim = VERBATIM.match(line) and not is_continuation
        is_block = bool(fence or mark or heading or is_verbatim)
        if is_block or not line.strip() or ITEM.fullmatch(line):
            yield from _wrapped(paragraph, width)
            paragraph = []
        if mark and not (fence and not line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        elif fence:
            yield CODE_INDENT + line
        elif heading:
            yield heading["text"]
        elif is_block or not line.strip():
            yield line
        else:
            paragraph.append(line)
    yield from _wrapped(paragraph, width)


def _wrapped(paragraph: list[str], width: int) -> list[str]:
    if not paragraph:
        return []
    item = ITEM.fullmatch(paragraph[0])
    mark, first = (item["mark"], item["text"]) if item else ("", paragraph[0])
    return textwrap.wrap(
        BOLD.sub(r"\1", " ".join([first, *(line.strip() for line in paragraph[1:])])),
        max(width, 20),
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
