"""What an `except` clause or a `contextlib.suppress` catches, and what the clause's body does."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence

from esper_audit import cst
from esper_audit.cst_walk import children
from esper_audit.view import View

SUPPRESS = "contextlib.suppress"


def caught(handler: cst.ExceptHandler, view: View) -> list[str]:
    """Return the full names of what a clause catches, empty where unknown; bare is all."""
    if handler.type is None:
        return ["builtins.BaseException"]
    kinds = handler.type.elements if isinstance(handler.type, cst.Tuple) else None
    expressions = [element.value for element in kinds] if kinds is not None else [handler.type]
    return [view.resolve(expression) or "" for expression in expressions]


def suppressed(call: cst.Call, view: View) -> list[str]:
    """Return the full names of what a `contextlib.suppress(...)` catches, none for other calls."""
    if view.resolve(call.func) != SUPPRESS:
        return []
    return [view.resolve(argument.value) or "" for argument in call.args]


def header(handler: cst.ExceptHandler, view: View) -> str:
    """Return the words of a clause without its body: `except OSError`."""
    return f"except {view.code(handler.type)}" if handler.type is not None else "bare except"


def may_catch(handler: ast.ExceptHandler, names: frozenset[str]) -> bool:
    """Say whether a clause may catch one of some builtin exceptions, under whatever name."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(_may_be(kind, names) for kind in kinds)


def own_nodes(roots: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """Yield the nodes of a block without those of the functions that it only defines."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            pending.extend(reversed(children(node)))


def raises(roots: Sequence[cst.CSTNode]) -> bool:
    """Say whether an exception is raised anywhere in a block."""
    return any(isinstance(node, cst.Raise) for node in own_nodes(roots))


def tells(handler: cst.ExceptHandler) -> bool:
    """Say whether a clause uses the exception that it caught."""
    if handler.name is None or not isinstance(handler.name.name, cst.Name):
        return False
    name = handler.name.name.value
    return any(isinstance(n, cst.Name) and n.value == name for n in own_nodes([handler.body]))


def _may_be(kind: ast.expr, names: frozenset[str]) -> bool:
    if not isinstance(kind, ast.Name) or kind.id in names:
        return True
    return kind.id not in vars(builtins)
