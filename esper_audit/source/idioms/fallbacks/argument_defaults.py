"""The parameters that another parameter of the function replaces where a caller omits them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, children, scan
from esper_audit.source.syntax.ast_walk import walk as walk_ast
from esper_audit.source.syntax.names import Function, defaults, dotted, terminal_name

COPIES = frozenset({"detach", "clone", "contiguous", "to"})
# What of another tensor a value may use without depending on its numbers.
METADATA = frozenset({"dtype", "device", "shape", "size", "ndim", "dim", "layout"})
CONVERSIONS = frozenset({"to", "type_as", "expand_as", "view_as", "reshape_as"})
REPLACING = frozenset(
    {ast.If, ast.IfExp, ast.Assign, ast.AnnAssign, ast.Return, ast.keyword, ast.Call}
)


class Fallback(NamedTuple):
    """A parameter, the name that replaces it, and the name under which the result is read."""

    parameter: str
    replacement: str
    target: str = ""


class _Assigned(NamedTuple):
    target: str
    value: ast.expr
    line: int


def parameters_defaulting_to_none(arguments: ast.arguments) -> Iterator[str]:
    """Yield the parameters whose default is None."""
    yield from (name for name, default in defaults(arguments).items() if is_none(default))


def has_none_as_default(arguments: ast.arguments) -> bool:
    """Return whether a parameter has None as its default."""
    return any(map(is_none, arguments.defaults)) or any(
        default is not None and is_none(default) for default in arguments.kw_defaults
    )


def fallbacks(function: Function) -> Iterator[Fallback]:
    """Yield each replacement of an omitted argument in a body, without nested functions."""
    nodes = scan(function, REPLACING, NESTED_SCOPES)
    assigned = sorted(
        (pair for node in nodes for pair in _assigned(node)), key=lambda pair: pair.line
    )
    aliases = {pair.target: _name_of(pair.value) for pair in reversed(assigned)}
    for node in nodes:
        if isinstance(node, ast.If):
            for found in _fallbacks_of_if(node, assigned):
                yield found
                yield found._replace(parameter=aliases.get(found.parameter) or found.parameter)
        elif isinstance(node, ast.IfExp):
            yield from _fallbacks_of_conditional(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.keyword)):
            yield from _fallbacks_of_or(node.value)
        elif isinstance(node, ast.Call):
            yield from _fallbacks_of_call(node)


def targets_of(function: Function, found: Fallback) -> frozenset[str]:
    """Return the names to which a function assigns the result of a replacement."""
    pairs = (
        pair for node in scan(function, {ast.Assign, ast.AnnAssign}) for pair in _assigned(node)
    )
    both = {found.parameter, found.replacement}
    return frozenset({found.target} - {""}) | {
        pair.target
        for pair in pairs
        if isinstance(pair.value, (ast.IfExp, ast.BoolOp))
        and both <= {n.id for n in walk_ast(pair.value) if isinstance(n, ast.Name)}
    }


def is_none(node: ast.expr) -> bool:
    """Return whether a node is the constant None."""
    return node.__class__ is ast.Constant and node.value is None


def _fallbacks_of_if(node: ast.If, assigned: Sequence[_Assigned]) -> Iterator[Fallback]:
    """Yield those of an `if` that assigns in one branch, or before it, what it replaces in the other."""
    name, missing = _none_test(node.test)
    absent, present = (node.body, node.orelse) if missing else (node.orelse, node.body)
    of_absent, of_present = _last_of(absent), _last_of(present)
    before = {pair.target: pair.value for pair in assigned if pair.line < node.lineno}
    for target in {**of_absent, **of_present}:
        value = of_absent.get(target, before.get(target))
        other = _name_of(value) if value is not None else ""
        if not other or (other in of_absent and other != target):
            continue  # nothing is replaced, or the arguments move: `low, high = 0, low`
        if target == name and target in of_absent:
            yield Fallback(name, other)
        elif target != name:
            kept = of_present.get(target, before.get(target))
            read = _data_names(kept) if kept is not None else set()
            is_changed = target in read and target not in of_absent  # `y = h`, `y = f(y, u)`
            if name in read and other not in read and not is_changed:
                yield Fallback(name, other, target)


def _fallbacks_of_conditional(node: ast.IfExp) -> Iterator[Fallback]:
    """Yield that of `other if name is None else f(name)` where `f(name)` does not read `other`."""
    name, missing = _none_test(node.test)
    absent, present = (node.body, node.orelse) if missing else (node.orelse, node.body)
    used = _data_names(present)
    if name in used and _name_of(absent) not in used:
        yield Fallback(name, _name_of(absent))


def _fallbacks_of_call(node: ast.Call) -> Iterator[Fallback]:
    """Yield those of `default(name, other)` and of arguments `name or other`."""
    if dotted(node.func).rpartition(".")[2] == "default" and len(node.args) == 2:
        yield Fallback(_name_of(node.args[0]), _name_of(node.args[1]))
    for argument in node.args:
        yield from _fallbacks_of_or(argument)


def _fallbacks_of_or(value: ast.expr | None) -> Iterator[Fallback]:
    """Yield that of `name or other`."""
    if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and len(value.values) == 2:
        first, second = value.values
        if isinstance(first, ast.Name):
            yield Fallback(first.id, _name_of(second))


def _none_test(test: ast.expr) -> tuple[str, bool]:
    """Return the name that a test checks for None, and whether the test is true for None."""
    missing = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, missing = test.operand, not missing
    if isinstance(test, ast.Call) and dotted(test.func) == "exists" and len(test.args) == 1:
        return _name_of(test.args[0]), missing
    if isinstance(test, ast.Compare) and is_none(test.comparators[0]):
        holds_for_none = isinstance(test.ops[0], (ast.Is, ast.Eq))
        return _name_of(test.left), holds_for_none != missing
    return _name_of(test), missing


def _last_of(block: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    """Return the last value that the statements of a block itself assign to each name."""
    return {pair.target: pair.value for statement in block for pair in _assigned(statement)}


def _assigned(node: ast.AST) -> Iterator[_Assigned]:
    """Yield each name that an assignment binds to a value, those of tuples one by one."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        pairs: list[tuple[ast.expr, ast.expr]] = [(node.target, node.value)]
    elif isinstance(node, ast.Assign):
        pairs = []
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs += zip(target.elts, node.value.elts, strict=False)
            else:
                pairs.append((target, node.value))
    else:
        return
    for target, value in pairs:
        if isinstance(target, ast.Name):
            yield _Assigned(target.id, value, node.lineno)


def _name_of(value: ast.expr) -> str:
    """Return the name that a value is or is a detached, cloned or contiguous copy of."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in COPIES:
            return ""
        value = value.func.value
    return value.id if isinstance(value, ast.Name) else ""


def _data_names(value: ast.expr) -> set[str]:
    """Return the names whose numbers a value depends on: of `u.to(h.dtype)` only `u`."""
    found: set[str] = set()
    pending: list[ast.AST] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in METADATA:
            continue
        elif isinstance(node, ast.Call) and terminal_name(node.func) in CONVERSIONS:
            pending.append(node.func)
        else:
            pending.extend(children(node))
    return found
