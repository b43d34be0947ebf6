"""The access paths of expressions: from `ast` nodes to heads and steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from esper_audit.source.facts.access_path import (
    CALL,
    ELEMENT,
    LARGEST_POSITION,
    NONE,
    UNKNOWN,
    AccessPath,
    PathKind,
    PathStep,
    StepKind,
    container,
    instance,
    named,
)
from esper_audit.source.facts.annotation_text import annotation_text
from esper_audit.source.syntax.names import dotted

LONGEST_PATH = 12
# What names (`x`) and attributes (`self.x`) mean in a place, where that is not what the scope binds.
Meanings = Mapping[str, AccessPath]
NO_MEANINGS: Meanings = {}
LITERALS = {
    ast.JoinedStr: instance("str"),
    ast.Dict: instance("dict"),
    ast.Tuple: instance("tuple"),
    ast.Compare: instance("bool"),
}
EMPTY_LIST = instance("list")
INTEGER = instance("int")
REMAKES = frozenset(
    {"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "deque", "ModuleList"}
    | {"ModuleDict"}
)
ONE_OF = frozenset({"next", "min", "max"})
SUPER = "super"
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def path_of(node: ast.expr, meanings: Meanings = NO_MEANINGS) -> AccessPath:
    """Return the path of an expression. `meanings` replaces names (loop variables, narrowed types)."""
    steps: list[PathStep] = []
    while len(steps) <= LONGEST_PATH:
        below, step = _step(node)
        if below is None:
            steps.reverse()
            return _joined(_head(node, meanings), tuple(steps), meanings)
        node = below
        if step is not None:
            steps.append(step)
    return UNKNOWN


def paths_of(node: ast.expr, meanings: Meanings = NO_MEANINGS) -> list[AccessPath]:
    """Return the paths of the values that an expression may have: one, or one for each alternative."""
    if isinstance(node, ast.IfExp):
        return [*paths_of(node.body, meanings), *paths_of(node.orelse, meanings)]
    if isinstance(node, ast.BoolOp):
        return [path for value in node.values for path in paths_of(value, meanings)]
    if isinstance(node, ast.NamedExpr):
        return paths_of(node.value, meanings)
    return [path_of(node, meanings)]


def comprehension_meanings(node: Comprehension, meanings: Meanings) -> Meanings:
    """Return the meanings inside a comprehension: those outside, and what its loops run over."""
    inside = dict(meanings)
    for loop in node.generators:
        inside.update(loop_bindings(loop.target, loop.iter, inside))
    return inside


def loop_bindings(
    target: ast.expr, iterable: ast.expr, meanings: Meanings
) -> Iterator[tuple[str, AccessPath]]:
    """Yield the names that a loop binds, each with the path of what it is bound to."""
    name = _called(iterable) if isinstance(iterable, ast.Call) else ""
    if isinstance(iterable, ast.Call) and isinstance(target, ast.Tuple) and len(target.elts) > 1:
        if name == "enumerate" and iterable.args:
            yield from unpacked(target.elts[0], INTEGER)
            yield from loop_bindings(target.elts[1], iterable.args[0], meanings)
            return
        if name == "zip" and len(iterable.args) == len(target.elts):
            for part, source in zip(target.elts, iterable.args, strict=True):
                yield from loop_bindings(part, source, meanings)
            return
        if name == "items" and isinstance(iterable.func, ast.Attribute):
            yield from unpacked(target.elts[0], UNKNOWN)
            values = path_of(iterable.func.value, meanings).attribute("values").called()
            yield from unpacked(target.elts[1], values.iterated())
            return
    yield from unpacked(target, path_of(iterable, meanings).iterated())


def unpacked(target: ast.expr, value: AccessPath) -> Iterator[tuple[str, AccessPath]]:
    """Yield the names that an assignment of a value to a target binds, each with its path."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from unpacked(target.value, UNKNOWN)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for position, part in enumerate(target.elts):
            yield from unpacked(part, value.element(position))


def _step(node: ast.expr) -> tuple[ast.expr | None, PathStep | None]:
    """Return the expression before the last step, and that step, or (None, None) for a head."""
    if isinstance(node, ast.Attribute):
        return node.value, PathStep(StepKind.ATTRIBUTE, node.attr)
    if isinstance(node, ast.Call):
        return (None, None) if _is_head(node) else (node.func, CALL)
    if isinstance(node, ast.Subscript):
        return node.value, _element(node.slice)
    if isinstance(node, (ast.Await, ast.Starred, ast.NamedExpr)):
        return node.value, None
    return None, None


def _element(index: ast.expr) -> PathStep | None:
    """Return the step of a subscript. A slice is no step, for it has the same elements."""
    if isinstance(index, ast.Slice):
        return None
    at = index.value if isinstance(index, ast.Constant) else None
    is_position = type(at) is int and at <= LARGEST_POSITION
    return PathStep(StepKind.ELEMENT, "", at) if is_position else ELEMENT  # type: ignore[arg-type]  # an int


def _joined(head: AccessPath, steps: tuple[PathStep, ...], meanings: Meanings) -> AccessPath:
    """Join head and steps. A narrowed attribute (`self.x`) is replaced as a narrowed name is."""
    if not steps:
        return head
    if meanings and len(steps) > 1 and steps[0].kind is StepKind.ATTRIBUTE and head.variable:
        narrowed = meanings.get(f"{head.variable}.{steps[0].name}")
        if narrowed is not None:
            head, steps = narrowed, steps[1:]
    if head.kind is PathKind.CONTAINER and steps[0].kind is StepKind.ELEMENT:
        head, steps = head.iterated(), steps[1:]
    return head.extended(steps)


def _is_head(call: ast.Call) -> bool:
    """Return whether a call is described by what it holds, not by what it calls."""
    name = _called(call)
    if name in REMAKES or name in ONE_OF:
        return len(call.args) == 1
    if name == SUPER:
        return len(call.args) == 2
    if name == "Sequential":
        return len(call.args) == 1 and isinstance(call.args[0], ast.Starred)
    return name == "cast" and len(call.args) == 2


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _head(node: ast.expr, meanings: Meanings) -> AccessPath:
    if isinstance(node, ast.Name):
        return meanings.get(node.id) or named(node.id)
    if isinstance(node, ast.Constant):
        return instance(type(node.value).__name__) if node.value is not None else NONE
    if isinstance(node, ast.Call):
        return _call_head(node, meanings)
    if isinstance(node, (ast.List, ast.Set)):
        return container(path_of(node.elts[0], meanings)) if node.elts else EMPTY_LIST
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return container(path_of(node.elt, comprehension_meanings(node, meanings)))
    if isinstance(node, ast.DictComp):
        return container(path_of(node.value, comprehension_meanings(node, meanings)))
    if isinstance(node, ast.Dict) and node.values:
        return container(path_of(node.values[0], meanings))
    return LITERALS.get(type(node), UNKNOWN)


def _call_head(call: ast.Call, meanings: Meanings) -> AccessPath:
    name = _called(call)
    if name == SUPER:
        owner = call.args[0]
        return AccessPath(PathKind.SUPER, held=path_of(owner) if dotted(owner) else UNKNOWN)
    if name == "cast":
        return instance(annotation_text(call.args[0]))
    inner = path_of(call.args[0], meanings).iterated()
    return inner if name in ONE_OF else container(inner)
