"""The docstrings and comments at a symbol, and the line on which they contain a phrase."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.claims.ellipsis import WORD, phrase_parts
from esper_audit.claims.symbol_lookup import LocatedSymbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.source import Source

OWNERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


class DocumentationText(NamedTuple):
    """The text of a docstring, or of comments on neighbouring lines, and its first line."""

    line: int
    text: str


def passages(symbol: LocatedSymbol) -> list[DocumentationText]:
    """Return the docstrings and comments at a symbol or right above it, in the order of lines."""
    found = [*_texts(symbol), *_comments(symbol.source, symbol.first, symbol.last)]
    return sorted(found)


def line_of_phrase(passage: DocumentationText, phrase: str) -> int:
    """Return the line on which a phrase begins in a passage, 0 if the passage does not contain it.

    Only words count: not case, layout or punctuation. `...` in a phrase stands for any text.
    """
    words = [(match[0].casefold(), match.start()) for match in WORD.finditer(passage.text)]
    start, at = -1, 0
    for part in phrase_parts(phrase):
        found = _find([word for word, _ in words], part, at)
        if found < 0:
            return 0
        start = found if start < 0 else start
        at = found + len(part)
    return passage.line + passage.text.count("\n", 0, words[start][1]) if start >= 0 else 0


def _find(words: Sequence[str], part: Sequence[str], start: int) -> int:
    last = len(words) - len(part)
    return next(
        (i for i in range(start, last + 1) if list(words[i : i + len(part)]) == list(part)), -1
    )


def _texts(symbol: LocatedSymbol) -> Iterator[DocumentationText]:
    """Yield the docstrings at a symbol, and the bare string below an assignment."""
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
    """Yield the comments on lines `first` to `last` and right above, neighbouring lines joined."""
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
    """Return the comments of a parsed file by line."""
    tokens = tokenize.generate_tokens(io.StringIO("".join(source.lines)).readline)
    return {t.start[0]: t.string.lstrip("#") for t in tokens if t.type == tokenize.COMMENT}
