"""Where a file contains quoted code: exactly, or in another layout and with other comments."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

from esper_audit.claims.ellipsis import code_parts
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.fingerprint import normalised_code

CLOSING = frozenset(")]}")
TOKEN = re.compile(r"\w+|[^\w\s]")
Span = tuple[int, int]


def exact_matches(code: str, lines: Sequence[str]) -> list[Span]:
    """Return the first and last lines between which all parts of a quotation occur in their order.

    The indentation of the whole does not count. Lines count from 1.
    """
    parts = [part.split("\n") for part in code_parts(code)]
    text = [line.rstrip() for line in lines]
    found = []
    for start in _matches(parts[0], text, 0):
        end = start + len(parts[0])
        for part in parts[1:]:
            following = next(_matches(part, text, end), None)
            if following is None:
                break
            end = following + len(part)
        else:
            found.append((start + 1, end))
    return found


def reformatted_matches(code: str, source: Source) -> list[Span]:
    """Return where a file contains the same code in another layout or with other comments."""
    found = []
    end = 0
    for part in code_parts(code):
        following = [span for span in _reformatted(part, source) if span[0] > end]
        if not following:
            return []
        found.append(following)
        end = min(last for _, last in following)
    return found[0]


def _reformatted(part: str, source: Source) -> list[Span]:
    """Return where a file contains one part in another layout.

    Tokens do not show which statement contains which, so that they decide only for what is no block of
    statements: the head of a function, an argument, a part of an expression.
    """
    statements = _statements(part)
    spans = _same_statements(part, statements, source)
    if len(statements) > 1 or any(True for s in statements for _ in blocks(s)):
        return spans
    return spans or token_matches(part, source.lines)


def token_matches(code: str, lines: Sequence[str]) -> list[Span]:
    """Return where a text contains the tokens of code, without commas before closing brackets."""
    tokens = _tokens(lines)
    quoted = [token for token, _ in _tokens(code.splitlines())]
    starts = range(len(tokens) - len(quoted) + 1) if quoted else ()
    spans = []
    for start in starts:
        if tokens[start][0] != quoted[0]:
            continue
        run = tokens[start : start + len(quoted)]
        if [token for token, _ in run] == quoted:
            spans.append((run[0][1], run[-1][1]))
    return spans


def _tokens(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return the words and signs of a text, each with its line from 1."""
    found: list[tuple[str, int]] = []
    for number, line in enumerate(lines, 1):
        for token in TOKEN.findall(line):
            if token in CLOSING and found and found[-1][0] == ",":
                found.pop()
            found.append((token, number))
    return found


def _matches(part: Sequence[str], text: Sequence[str], start: int) -> Iterator[int]:
    """Yield the line indices from `start` on at which a part begins, whatever its indentation."""
    head = part[0].lstrip()
    for at in range(start, len(text) - len(part) + 1):
        if text[at].lstrip() == head and _relative(part) == _relative(text[at : at + len(part)]):
            yield at


def _relative(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Return lines with their indentation relative to the first, 0 for a blank line."""
    first = _indent(lines[0])
    return [(_indent(line) - first if line.strip() else 0, line.strip()) for line in lines]


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _statements(part: str) -> list[ast.stmt]:
    """Return the statements of a part, none if it is no complete code."""
    try:
        return ast.parse(textwrap.dedent(part)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _same_statements(part: str, statements: Sequence[ast.stmt], source: Source) -> list[Span]:
    found: list[Span] = []
    if not statements:
        return found
    kinds = [type(statement) for statement in statements]
    normalised = normalised_code(part)
    for block in _blocks(source.tree):
        for start in range(len(block) - len(kinds) + 1):
            run = block[start : start + len(kinds)]
            if [type(statement) for statement in run] != kinds:
                continue
            first, last = first_line(run[0]), last_line(run[-1])
            if normalised_code("".join(source.lines[first - 1 : last])) == normalised:
                found.append((first, last))
    return found


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for node in walk(tree):
        if isinstance(node, ast.stmt):
            yield from (block for block in blocks(node) if block)
