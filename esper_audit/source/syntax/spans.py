"""Convert the byte offsets of `ast` nodes to spans in characters, and spans to source code."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.findings.finding import Span

OPEN, CLOSE = "([{", ")]}"


def span_of(node: ast.AST, lines: Sequence[str]) -> Span:
    """Return the span of a node; a TypeError for a node without a place, such as an operator."""
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
    """Return the code of an argument, parameter or import alias with the comma that follows it.

    The comma is part of the code by which findings at such places have always been recognised.
    """
    line, column = span.end_line, span.end_column
    while line <= len(lines):
        rest = lines[line - 1][column:].lstrip()
        if rest and not rest.startswith(("#", "\\")):
            return code_of(span, lines) + (", " if rest.startswith(",") else "")
        line, column = line + 1, 0
    return code_of(span, lines)
