"""What people wrote at a symbol: its docstrings and comments, and whether they say a thing."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.claims.address import LocatedSymbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.source import Source

GAP = "..."
WORD = re.compile(r"\w+")
OWNERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


class DocumentationText(NamedTuple):
    """A docstring, or comments on neighbouring lines, and its first line."""

    line: int
    text: str


def passages(symbol: LocatedSymbol) -> list[DocumentationText]:
    """Return what is written at a symbol or right above it, in the order of lines."""
    found = [*_texts(symbol), *_comments(symbol.source, symbol.first, symbol.last)]
    return sorted(found)


def line_that_says(passage: DocumentationText, phrase: str) -> int:
    """Return the line on which a passage says a phrase, 0 if it does not.

    Only words count: not case, layout or punctuation. Three dots in a phrase stand for anything.
    """
    words = [(match[0].casefold(), match.start()) for match in WORD.finditer(passage.text)]
    start, at = -1, 0
    for part in _parts(phrase):
        found = _find([word for word, _ in words], part, at)
        if found < 0:
            return 0
        start = found if start < 0 else start
        at = found + len(part)
    return passage.line + passage.text.count("\n", 0, words[start][1]) if start >= 0 else 0


def has_words(phrase: str) -> bool:
    """Return whether there is anything to look for."""
    return bool(_parts(phrase))


def _parts(phrase: str) -> list[list[str]]:
    parts = [[word.casefold() for word in WORD.findall(part)] for part in phrase.split(GAP)]
    return [part for part in parts if part]


def _find(words: Sequence[str], part: Sequence[str], start: int) -> int:
    last = len(words) - len(part)
    return next(
        (i for i in range(start, last + 1) if list(words[i : i + len(part)]) == list(part)), -1
    )


def _texts(symbol: LocatedSymbol) -> Iterator[DocumentationText]:
    """Yield the docstrings at a symbol, and the bare string behind an assignment that explains it."""
    root: ast.AST = symbol.statement or symbol.source.tree
    for owner in walk(root):
        if isinstance(owner, OWNERS) and owner.body:
            yield from _text_of(owner.body[0])
    following = (
        s for s in walk(symbol.source.tree) if isinstance(s, ast.Expr) and s.lineno > symbol.last
    )
    if isinstance(symbol.statement, ast.Assign | ast.AnnAssign):
        below = min(following, key=lambda s: s.lineno, default=None)
        if below is not None and below.lineno == symbol.last + 1:
            yield from _text_of(below)


def _text_of(statement: ast.stmt) -> Iterator[DocumentationText]:
    match statement:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            yield DocumentationText(statement.lineno, text)


def _comments(source: Source, first: int, last: int) -> Iterator[DocumentationText]:
    """Yield the comments on lines `first` to `last` and in the block above, neighbours as one."""
    comments = _comments_of(source)
    while first - 1 in comments and source.lines[first - 2].lstrip().startswith("#"):
        first -= 1
    run: list[int] = []
    for line in sorted(line for line in comments if first <= line <= last):
        if run and line != run[-1] + 1:
            yield _joined(comments, run)
            run = []
        run.append(line)
    if run:
        yield _joined(comments, run)


def _joined(comments: dict[int, str], run: list[int]) -> DocumentationText:
    return DocumentationText(run[0], "\n".join(comments[line] for line in run))


def _comments_of(source: Source) -> dict[int, str]:
    """Return the comments of a file that parses, by line."""
    tokens = tokenize.generate_tokens(io.StringIO("".join(source.lines)).readline)
    return {t.start[0]: t.string.lstrip("#") for t in tokens if t.type == tokenize.COMMENT}
