"""Convert the byte offsets of `ast` nodes to spans in characters, and spans to source code."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from esper_audit.findings.finding import Span

DEFINITION_KEYWORD = re.compile(r"(?:def|class)\s+")


def span_of(node: ast.AST, lines: Sequence[str]) -> Span:
    """Return the span of a node.

    Raises:
        TypeError: The node has no place, such as an operator.
    """
    if not isinstance(
        node, (ast.expr, ast.stmt, ast.excepthandler, ast.alias, ast.arg, ast.keyword, ast.pattern)
    ):
        raise TypeError(
            f"a rule reported a violation at a {type(node).__name__}, which has no place"
        )
    end_line = node.end_lineno or node.lineno
    return Span(
        node.lineno,
        _character(lines[node.lineno - 1], node.col_offset),
        end_line,
        _character(lines[end_line - 1], node.end_col_offset or 0),
    )


def code_of(span: Span, lines: Sequence[str]) -> str:
    """Return the source code of a span."""
    if span.line == span.end_line:
        return lines[span.line - 1][span.column : span.end_column]
    first, last = lines[span.line - 1][span.column :], lines[span.end_line - 1][: span.end_column]
    return "".join([first, *lines[span.line : span.end_line - 1], last])


def _character(line: str, offset: int) -> int:
    return offset if line.isascii() else len(line.encode()[:offset].decode())


def argument_code(span: Span, lines: Sequence[str]) -> str:
    """Return the code of an argument, parameter or import alias with the comma and comment after it.

    The fingerprints of findings at such places include the comma and the comment.
    """
    after = _next(span.end_line, span.end_column, lines)
    if after is None or lines[after[0] - 1][after[1]] != ",":
        return code_of(span, lines)
    end = _next(after[0], after[1] + 1, lines) or (after[0], after[1] + 1)
    return code_of(Span(span.line, span.column, *end), lines)


def pairs_around(span: Span, lines: Sequence[str]) -> int:
    """Return how many pairs of parentheses are directly around a span."""
    return len(_pairs(span, lines))


def parenthesised(span: Span, lines: Sequence[str], count: int) -> Span:
    """Return a span widened by the innermost `count` pairs of parentheses around it."""
    return _pairs(span, lines)[count - 1] if count else span


def name_span_of(
    definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: Sequence[str]
) -> Span:
    """Return the span of the name of a function or class.

    The keyword and the name must be on one line.
    """
    line = lines[definition.lineno - 1]
    start = DEFINITION_KEYWORD.search(line, _character(line, definition.col_offset))
    column = start.end() if start else definition.col_offset
    return Span(definition.lineno, column, definition.lineno, column + len(definition.name))


def text_with_comments(node: ast.stmt | ast.excepthandler, lines: Sequence[str]) -> str:
    """Return the lines of a node with the comment lines that belong to it, above and below.

    Comment lines above belong to it, up to one that is indented deeper and ends the block before.
    A comment line below belongs to it if it is indented like its last block.
    """
    first, last = node.lineno, node.end_lineno or node.lineno
    while first > 1 and _is_comment_or_blank(lines[first - 2], node.col_offset):
        first -= 1
    end = last
    block = _last_block(node)
    depth = block[0].col_offset if block else node.col_offset + 1
    while last < len(lines) and lines[last].lstrip()[:1] in ("", "#"):
        last += 1
        if lines[last - 1].strip() and _indent(lines[last - 1]) >= depth:
            end = last
    above = "".join(lines[first - 1 : node.lineno - 1])
    return (
        above
        + lines[node.lineno - 1][_character(lines[node.lineno - 1], node.col_offset) :]
        + ("".join(lines[node.lineno : end]))
    )


def _last_block(node: ast.AST) -> list[ast.stmt]:
    """Return the statements of the last block of a compound statement or clause."""
    if isinstance(node, ast.If) and node.orelse:
        return node.orelse
    return node.body if isinstance(node, (ast.If, ast.ExceptHandler)) else []


def _is_comment_or_blank(line: str, column: int) -> bool:
    text = line.strip()
    return not text or (text.startswith("#") and _indent(line) <= column)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _pairs(span: Span, lines: Sequence[str]) -> list[Span]:
    """Return the spans of the pairs of parentheses directly around a span, innermost first."""
    found: list[Span] = []
    while True:
        before = _previous(span.line, span.column, lines)
        after = _next(span.end_line, span.end_column, lines)
        if before is None or after is None:
            return found
        if lines[before[0] - 1][before[1]] != "(" or lines[after[0] - 1][after[1]] != ")":
            return found
        span = Span(*before, after[0], after[1] + 1)
        found.append(span)


def _previous(line: int, column: int, lines: Sequence[str]) -> tuple[int, int] | None:
    """Return the place of the last character of code before a place, or None after a comment."""
    while line > 0:
        text = lines[line - 1][:column].rstrip()
        if text:
            return line, len(text) - 1
        line -= 1
        column = len(lines[line - 1]) if line else 0
        if line and "#" in lines[line - 1]:
            return None
    return None


def _next(line: int, column: int, lines: Sequence[str]) -> tuple[int, int] | None:
    """Return the place of the first character of code after a place, comments skipped."""
    while line <= len(lines):
        text = lines[line - 1][column:]
        bare = text.lstrip()
        if bare and not bare.startswith("#"):
            return line, column + len(text) - len(bare)
        line, column = line + 1, 0
    return None


def parameter_span(parameter: ast.arg, default: ast.expr | None, lines: Sequence[str]) -> Span:
    """Return the span of a parameter with its annotation and its default."""
    span = span_of(parameter, lines)
    if default is None:
        return span
    end = span_of(default, lines)
    between = code_of(Span(span.end_line, span.end_column, end.line, end.column), lines)
    end = parenthesised(end, lines, between.count("("))
    return Span(span.line, span.column, end.end_line, end.end_column)


def parameters_span(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str]) -> Span:
    """Return the span between the parentheses of a function's header, without leading space."""
    name = name_span_of(function, lines)
    opening = _next(name.end_line, name.end_column, lines)
    assert opening is not None
    start = _next(opening[0], opening[1] + 1, lines)
    assert start is not None
    arguments = function.args
    parts = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parts += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    defaults = [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
    last = max((span_of(part, lines) for part in (*parts, *defaults)), key=lambda s: s[2:])
    return Span(*start, *_closing(last, lines))


def _closing(last: Span, lines: Sequence[str]) -> tuple[int, int]:
    """Return the place of the parenthesis after the parameters, of which `last` is the last."""
    line, column = last.end_line, last.end_column
    while (place := _next(line, column, lines)) is not None:
        line, column = place
        if lines[line - 1][column] == ")":
            break
        column += 1
    return line, column
