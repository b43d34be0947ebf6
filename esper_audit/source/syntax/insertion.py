"""Places between the statements of a file at which a fix inserts lines."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.findings.finding import Span
from esper_audit.source.syntax.names import Function


def before_line_of(node: ast.stmt, lines: Sequence[str]) -> Span | None:
    """Return the empty span at a statement that starts its line, or None if other code is before it."""
    line = lines[node.lineno - 1]
    start = len(line.encode()[: node.col_offset].decode(errors="replace"))
    return Span(node.lineno, start, node.lineno, start) if not line[:start].strip() else None


def first_statement(function: Function) -> ast.stmt | None:
    """Return the first statement of a body after its docstring, or None if there is none."""
    body = function.body
    has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return next(iter(body[1 if has_docstring else 0 :]), None)
