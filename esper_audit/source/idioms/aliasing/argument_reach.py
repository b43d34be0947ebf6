"""The names that an argument may reach in a function, in whatever order its statements run.

This costs a fraction of an `AliasFlow`, and holds every name that a flow reaches. `callees` returns the
functions of the file that a call reaches.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from esper_audit.source.idioms.aliasing.shared_storage import (
    ITEM_METHODS,
    VIEW_ATTRIBUTES,
    VIEW_FUNCTIONS,
    is_item_removal,
    is_write_method,
    iterated,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, dotted, terminal_name

BINDING = (ast.Assign, ast.AnnAssign, ast.For, ast.AsyncFor)
Callees = Callable[[ast.Call], Sequence[Function]]


def names_reached(
    bindings: Iterable[ast.AST], arguments: Iterable[str], callees: Callees
) -> frozenset[str]:
    """Return the names and dotted names that may share storage with some arguments of a function.

    `bindings` are the nodes of the types in `BINDING` in the function.
    """
    reached = set(arguments)
    edges = [edge for node in bindings for edge in _edges(node, callees)]
    is_growing = bool(reached)
    while is_growing:
        before = len(reached)
        reached |= {target for target, sources in edges if not reached.isdisjoint(sources)}
        is_growing = len(reached) > before
    return frozenset(reached)


def is_possible_write(node: ast.AST, reached: Collection[str], callees: Callees) -> bool:
    """Return whether a statement or a call may write into what the names hold."""
    return any(
        name in reached
        for part in (node, *scan(node, {ast.Call}))
        for target in _written(part, callees)
        for name in _sources(target, callees)
    )


def _written(node: ast.AST, callees: Callees) -> list[ast.expr]:
    if isinstance(node, ast.AugAssign):
        return [node.target]
    if isinstance(node, ast.Assign):
        return [target.value for target in node.targets if isinstance(target, ast.Subscript)]
    if not isinstance(node, ast.Call):
        return []
    if callees(node):
        return node.args
    written = [keyword.value for keyword in node.keywords if keyword.arg == "out"]
    if isinstance(node.func, ast.Attribute) and (
        is_write_method(node.func.attr) or is_item_removal(node)
    ):
        return [*written, node.func.value, *node.args[:1]]
    has_flag = any(keyword.arg == "inplace" for keyword in node.keywords)
    return [*written, *node.args[:1]] if has_flag else written


def _edges(node: ast.AST, callees: Callees) -> Iterator[tuple[str, set[str]]]:
    """Yield each name that a statement binds, with the names whose storage it may share."""
    targets: list[ast.expr] = []
    values: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets, values = node.targets, [node.value]
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, values = [node.target], [node.value]
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        targets, values = [node.target], iterated(node.iter)
    sources = {name for value in values for name in _sources(value, callees)}
    if sources:
        yield from ((name, sources) for target in targets for name in _bound(target))


def _bound(target: ast.expr) -> list[str]:
    if isinstance(target, (ast.Tuple, ast.List)):
        return [name for part in target.elts for name in _bound(part)]
    name = dotted(target.value if isinstance(target, ast.Starred) else target)
    return [name] if name else []


def _sources(value: ast.expr, callees: Callees) -> Iterator[str]:
    """Yield the names whose storage the value of an expression may share."""
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield dotted(node)
        pending += _operands(node, callees)


def _operands(node: ast.expr, callees: Callees) -> list[ast.expr]:
    """Return the operands of an expression whose storage its value may share."""
    if isinstance(node, ast.Attribute):
        return [node.value] if node.attr in VIEW_ATTRIBUTES else []
    if isinstance(node, (ast.Subscript, ast.Starred, ast.NamedExpr)):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, (ast.Tuple, ast.List)):
        return node.elts
    if not isinstance(node, ast.Call):
        return []
    if callees(node):
        return [node.func, *node.args]
    name = terminal_name(node.func)
    has_view = name in VIEW_FUNCTIONS or name in ITEM_METHODS or is_write_method(name)
    owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    return [*owner, *node.args[:1]] if has_view or node.keywords else []
