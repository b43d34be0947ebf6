"""Reads of metrics by name, and the local variables that are computed from them."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping

from esper_audit.source.syntax.ast_walk import children, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted

# Calls that test whether there is a value without reading it.
PRESENCE_TESTS = frozenset({"hasattr", "isinf", "isinstance", "isfinite", "isnan", "type"})
KEY_LOOKUPS = frozenset({"get", "getattr", "pop"})


class MetricMentions:
    """The lines of a file that contain the name of a metric, which most functions do not."""

    def __init__(self, file: FileView) -> None:
        self._source = file.source
        self._lines: dict[Collection[str], list[int]] = {}
        self._derived: dict[tuple[Function, Collection[str]], Mapping[str, str]] = {}

    def is_mentioned_in(self, node: ast.expr | ast.stmt, metrics: Collection[str]) -> bool:
        """Return whether the lines of a node contain the name of a metric."""
        if metrics not in self._lines:
            numbered = enumerate(self._source.lines, 1)
            self._lines[metrics] = [n for n, line in numbered if any(m in line for m in metrics)]
        lines = self._lines[metrics]
        position = bisect_left(lines, node.lineno)
        return position < len(lines) and lines[position] <= (node.end_lineno or node.lineno)

    def derived_variables(self, function: Function, metrics: Collection[str]) -> Mapping[str, str]:
        """Return the local variables that a function computes from metrics, each with its metric."""
        if (function, metrics) not in self._derived:
            self._derived[function, metrics] = derived_variables(function, metrics)
        return self._derived[function, metrics]


def first_read(
    expression: ast.AST, metrics: Collection[str], derived_variables: Collection[str]
) -> str:
    """Return the first metric or derived variable that an expression reads, or an empty string."""
    return next(_reads(expression, metrics, derived_variables), "")


def derived_variables(function: Function, metrics: Collection[str]) -> Mapping[str, str]:
    """Return the local variables that a function computes from metrics, each with its metric."""
    found: dict[str, str] = {}
    statements = scan(function, {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr})
    while True:
        new = {
            name: found.get(read, read)
            for statement in statements
            for name, read in _reads_of_assignment(statement, metrics, found)
            if name not in metrics and name not in found
        }
        if not new:
            return found
        found |= new


def _reads_of_assignment(
    node: ast.AST, metrics: Collection[str], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned_reads(target, node.value, metrics, known)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
        yield from _assigned_reads(node.target, node.value, metrics, known)


def _assigned_reads(
    target: ast.expr, value: ast.expr, metrics: Collection[str], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield each name that a value is assigned to, with the metric that the value reads.

    The elements of a tuple are matched with the elements of the target.
    """
    if isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for part, element in zip(target.elts, values, strict=False):
            yield from _assigned_reads(part, element, metrics, known)
    elif isinstance(target, ast.Name) and (read := first_read(value, metrics, known)):
        yield target.id, read


def _reads(node: ast.AST, metrics: Collection[str], known: Collection[str]) -> Iterator[str]:
    if _is_presence_test(node):
        return
    if isinstance(node, ast.Name) and (node.id in metrics or node.id in known):
        yield node.id
    elif isinstance(node, ast.Attribute) and node.attr in metrics:
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield from _constants([node.slice], metrics)
    elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in KEY_LOOKUPS:
        yield from _constants(node.args, metrics)
    for child in children(node):
        yield from _reads(child, metrics, known)


def _is_presence_test(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        is_none = all(isinstance(c, ast.Constant) and c.value is None for c in node.comparators)
        is_key = isinstance(node.ops[0], (ast.In, ast.NotIn)) and isinstance(
            node.left, ast.Constant
        )
        return is_none or is_key
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in PRESENCE_TESTS


def _constants(nodes: list[ast.expr], metrics: Collection[str]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value in metrics:
            yield str(node.value)
