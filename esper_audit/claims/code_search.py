"""Finding quoted code again: as it was quoted, or laid out and commented otherwise."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.fingerprint import normalised_code

# A line that says something is left out, all of it or the rest of a list of arguments.
LEFT_OUT = re.compile(r"\s*(#\s*)?(\.{3}|…)\s*|.*,\s*(\.{3}|…)\s*[)\]}].*")
CLOSING = frozenset(")]}")
WORD = re.compile(r"\w+|[^\w\s]")
Span = tuple[int, int]


def pieces(code: str) -> list[str]:
    """Return the stretches of a quotation between lines that only say that something is left out."""
    found: list[list[str]] = [[]]
    for line in code.splitlines():
        if LEFT_OUT.fullmatch(line):
            found.append([])
        else:
            found[-1].append(line.rstrip())
    stripped = ("\n".join(piece).strip("\n") for piece in found)
    return [piece for piece in stripped if piece.strip()]


def exact(code: str, lines: Sequence[str]) -> list[Span]:
    """Return where all pieces of a quotation stand, in order; indentation as a whole does not count."""
    wanted = [piece.split("\n") for piece in pieces(code)]
    text = [line.rstrip() for line in lines]
    found = []
    for start in _matches(wanted[0], text, 0):
        end = start + len(wanted[0])
        for piece in wanted[1:]:
            following = next(_matches(piece, text, end), None)
            if following is None:
                break
            end = following + len(piece)
        else:
            found.append((start + 1, end))
    return found


def reformatted(code: str, source: Source) -> list[Span]:
    """Return where code stands that says the same in another layout or with other comments."""
    found = []
    end = 0
    for piece in pieces(code):
        following = [span for span in _anew(piece, source) if span[0] > end]
        if not following:
            return []
        found.append(following)
        end = min(last for _, last in following)
    return found[0]


def _anew(piece: str, source: Source) -> list[Span]:
    """Return where one stretch stands anew. Words alone say nothing of what is inside of what, so they
    decide only for what is no statement: the head of a function, an argument, a part of an expression.
    """
    statements = _statements(piece)
    spans = _same_statements(piece, statements, source)
    if len(statements) > 1 or any(True for s in statements for _ in blocks(s)):
        return spans
    return spans or same_words(piece, source.lines)


def same_words(code: str, lines: Sequence[str]) -> list[Span]:
    """Return where a text stands, whatever its layout; a comma before a closing bracket is layout."""
    words = _words(lines)
    wanted = [word for word, _ in _words(code.splitlines())]
    starts = range(len(words) - len(wanted) + 1) if wanted else ()
    spans = []
    for start in starts:
        if words[start][0] != wanted[0]:
            continue
        run = words[start : start + len(wanted)]
        if [word for word, _ in run] == wanted:
            spans.append((run[0][1], run[-1][1]))
    return spans


def _words(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return the words and signs of a text, each with its line from 1."""
    found: list[tuple[str, int]] = []
    for number, line in enumerate(lines, 1):
        for word in WORD.findall(line):
            if word in CLOSING and found and found[-1][0] == ",":
                found.pop()
            found.append((word, number))
    return found


def _matches(piece: Sequence[str], text: Sequence[str], start: int) -> Iterator[int]:
    """Yield the line indices from `start` on at which a piece stands, indented as a whole by anything."""
    head = piece[0].lstrip()
    for at in range(start, len(text) - len(piece) + 1):
        if text[at].lstrip() == head and _relative(piece) == _relative(text[at : at + len(piece)]):
            yield at


def _relative(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Return lines with their indentation relative to the first; a blank one has none."""
    first = _indent(lines[0])
    return [(_indent(line) - first if line.strip() else 0, line.strip()) for line in lines]


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _statements(piece: str) -> list[ast.stmt]:
    """Return a piece as statements; none where it is no whole statement."""
    try:
        return ast.parse(textwrap.dedent(piece)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _same_statements(piece: str, statements: Sequence[ast.stmt], source: Source) -> list[Span]:
    found: list[Span] = []
    if not statements:
        return found
    kinds = [type(statement) for statement in statements]
    wanted = normalised_code(piece)
    for block in _blocks(source.tree):
        for start in range(len(block) - len(kinds) + 1):
            run = block[start : start + len(kinds)]
            if [type(statement) for statement in run] != kinds:
                continue
            first, last = first_line(run[0]), last_line(run[-1])
            if normalised_code("".join(source.lines[first - 1 : last])) == wanted:
                found.append((first, last))
    return found


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for node in walk(tree):
        if isinstance(node, ast.stmt):
            yield from (block for block in blocks(node) if block)
