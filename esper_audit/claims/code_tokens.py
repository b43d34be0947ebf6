"""The tokens of code and text: with lines and indentation, without comments, whether it parses or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from esper_audit.claims.ellipsis import GAP, WORD

PYTHON = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>(?:[rbufRBUF]{1,2})?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<gap>\.{3}|…)
    |(?P<continued>\\\n)
    |(?P<newline>\n)
    |(?P<word>\d[\w.]*|\w+)
    |(?P<sign>[^\w\s])""",
    re.VERBOSE | re.DOTALL,
)
PLAIN = re.compile(r"(?P<newline>\n)|(?P<gap>\.{3}|…)|(?P<word>\w+)|(?P<sign>[^\w\s])")
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
TAB = 8
NOT_A_START = -1


class Token(NamedTuple):
    """A token with its first line, from 1, and its last.

    `indent` is the column of a token that begins a logical line, `NOT_A_START` for others. A docstring is
    a text that is a statement of its own. A comment has its text behind its `#`.
    """

    text: str
    line: int
    indent: int = NOT_A_START
    last: int = 0
    is_string: bool = False
    is_docstring: bool = False

    @property
    def begins_line(self) -> bool:
        """Return whether the token is the first of a logical line."""
        return self.indent != NOT_A_START


class CodeTokens:
    """The tokens of a text without comments and redundant commas, its comments, and where each text occurs."""

    def __init__(self, text: str, *, is_python: bool = True) -> None:
        self.is_python = is_python
        self.code, self.comments = _tokens_of(text, is_python=is_python)
        self.lines = text.splitlines()

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """The positions of the tokens of each text."""
        found: dict[str, list[int]] = {}
        for position, token in enumerate(self.code):
            found.setdefault(token.text, []).append(position)
        return found

    @cached_property
    def comment_words(self) -> str:
        """The words of all comments in their order."""
        return " ".join(words_of(token.text) for token in self.comments)


def words_of(text: str) -> str:
    """Return the words of a text, each behind a space."""
    return " ".join(WORD.findall(text))


def _tokens_of(text: str, *, is_python: bool) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """Return the tokens and the comments of a text.

    Without `is_python` it has neither comments nor strings.
    """
    code: list[Token] = []
    comments: list[Token] = []
    for token, kind in _scanned(text, is_python=is_python):
        if kind == "comment":
            comments.append(token)
            continue
        if token.text in CLOSING and code and code[-1].text == ",":
            code.pop()
        code.append(token)
    return tuple(_with_docstrings(code)), tuple(comments)


def _scanned(text: str, *, is_python: bool) -> Iterator[tuple[Token, str]]:
    """Yield each token and its kind, without the semicolons that end a line."""
    line, depth, is_first, indent = 1, 0, True, 0
    beginning = 0
    for match in (PYTHON if is_python else PLAIN).finditer(text):
        kind, found = match.lastgroup or "", match[0]
        if kind in ("newline", "continued"):
            line += 1
            beginning = match.end()
            is_first = is_first or (kind == "newline" and depth == 0)
            continue
        if found == ";" and depth == 0 and is_python:
            is_first = True
            continue
        if is_first and not text[beginning : match.start()].strip():
            indent = _column(text[beginning : match.start()])
        starts = is_first and kind != "comment" and is_python
        depth = max(0, depth + (found in OPENING) - (found in CLOSING)) if is_python else 0
        shown = _string_content(found) if kind == "string" else GAP if kind == "gap" else found
        at = indent if starts else NOT_A_START
        own = _column(text[beginning : match.start()]) if kind == "comment" else at
        yield Token(shown, line, own, line + found.count("\n"), kind == "string"), kind
        is_first = is_first and not starts
        line += found.count("\n")
        if "\n" in found:
            beginning = match.start() + found.rindex("\n") + 1


def _column(space: str) -> int:
    return len(space.expandtabs(TAB))


def _string_content(literal: str) -> str:
    """Return the content of a literal, whatever its quotes and layout, behind a mark of bytes."""
    prefix, quote, rest = re.split(r"(\"\"\"|'''|\"|')", literal, maxsplit=1)
    content = rest[: -len(quote)]
    if "r" not in prefix.lower():
        content = content.replace("\\'", "'").replace('\\"', '"')
    kinds = "".join(sorted(set(prefix.lower()) & set("bf")))
    return f"{kinds}:{' '.join(content.split()) if len(quote) > 1 else content}"


def _with_docstrings(code: list[Token]) -> Iterator[Token]:
    """Yield tokens with the docstrings among them marked."""
    for position, token in enumerate(code):
        is_last = position + 1 == len(code) or code[position + 1].begins_line
        is_docstring = token.is_string and token.begins_line and is_last
        yield token._replace(is_docstring=True) if is_docstring else token
