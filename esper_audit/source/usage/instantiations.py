"""Statements that make an object: its possible classes, what it is bound to, and the code around."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.facts.access_path import AccessPath
from esper_audit.source.facts.extraction.expression_paths import path_of
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.index.values.value import Kind, Value
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.names import Function, defaults, dotted
from esper_audit.source.usage.tree import Tree

NEURAL = "torch.nn."
NOT_NEURAL = ("torch.nn.utils.", "torch.nn.parallel.")
# Such a statement may wait for an error inside, or end the life of the object.
WATCHED = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
SELF = "self."
CLASS_OF: dict[str, Kind] = {"instance": "class", "object": "external"}
Binding = ast.Assign | ast.AnnAssign | ast.Expr


class InstantiationContext(NamedTuple):
    """The code around a statement: the outermost function and its class, if any."""

    function: Function | None = None
    owner: str = ""
    is_watched: bool = False


OUTSIDE = InstantiationContext()


class Instantiation(NamedTuple):
    """A statement that binds one object to one thing. `made` are the classes that it can be of.

    `bound` is the name of a local variable, `self.x`, or empty where the object is discarded.
    `is_new` marks calls of the class itself: a function may return an object that other code has, too.
    """

    statement: Binding
    made: frozenset[Value]
    bound: str
    is_new: bool
    around: InstantiationContext

    @property
    def attribute(self) -> str:
        """The attribute of `self` that holds the object, empty if none does."""
        return self.bound.removeprefix(SELF) if self.bound.startswith(SELF) else ""

    @property
    def place(self) -> ast.expr:
        """The node for a finding: what is bound, else the call."""
        statement = self.statement
        if isinstance(statement, ast.Assign):
            return statement.targets[0]
        return statement.target if isinstance(statement, ast.AnnAssign) else statement.value


def instantiations(tree: Tree, module: ModuleFacts) -> Iterator[Instantiation]:
    """Yield the instantiations in the functions of a file, in the order of the text."""
    source = tree.source(module.path)
    for statement, around in _statements(source.tree.body if source is not None else [], OUTSIDE):
        bound, calls = _bound_name(statement), _calls(statement.value)
        if around.function is not None and bound is not None and calls:
            new = [_constructed_classes(tree, module, call) for call in calls]
            made = (
                new
                if all(new)
                else [_returned_classes(tree, module, around, call) for call in calls]
            )
            if all(made):
                yield Instantiation(statement, frozenset().union(*made), bound, all(new), around)


def is_neural(name: str) -> bool:
    """Return whether a dotted name is that of a class of `torch.nn`: a module, or a parameter."""
    is_class = name.rpartition(".")[2][:1].isupper()
    return is_class and name.startswith(NEURAL) and not name.startswith(NOT_NEURAL)


def _statements(
    block: list[ast.stmt], around: InstantiationContext
) -> Iterator[tuple[Binding, InstantiationContext]]:
    for statement in block:
        if isinstance(statement, Binding):
            yield statement, around
        inner = _entered(statement, around)
        for nested in blocks(statement):
            yield from _statements(nested, inner)


def _entered(statement: ast.stmt, around: InstantiationContext) -> InstantiationContext:
    if isinstance(statement, Function) and around.function is None:
        return around._replace(function=statement)
    if isinstance(statement, ast.ClassDef):
        named = f"{around.owner}.{statement.name}" if around.owner else statement.name
        return around._replace(owner=named if around.function is None else "")
    return around._replace(is_watched=around.is_watched or isinstance(statement, WATCHED))


def _bound_name(statement: Binding) -> str | None:
    """Return the name or `self.x` that a statement binds, empty for none, or None for anything else."""
    if isinstance(statement, ast.Expr):
        return ""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    bound = dotted(targets[0]) if len(targets) == 1 else ""
    is_one = bound.isidentifier() or bound.removeprefix(SELF).isidentifier()
    return bound if is_one else None


def _calls(value: ast.expr | None) -> list[ast.Call] | None:
    """Return the calls of which an expression is one or another, or None if it may be more than such or `None`."""
    if isinstance(value, ast.Call):
        return [value]
    if isinstance(value, ast.IfExp):
        sides = _calls(value.body), _calls(value.orelse)
        return None if sides[0] is None or sides[1] is None else sides[0] + sides[1]
    return [] if isinstance(value, ast.Constant) and value.value is None else None


def _constructed_classes(tree: Tree, module: ModuleFacts, call: ast.Call) -> frozenset[Value]:
    """Return the classes that a call makes an object of, none where it may do something else."""
    path = path_of(call.func)
    if not path.terminal.lstrip("_")[:1].isupper():
        return frozenset()
    return _classes(tree, module, call, path)


def _returned_classes(
    tree: Tree, module: ModuleFacts, around: InstantiationContext, call: ast.Call
) -> frozenset[Value]:
    """Return the classes of what a function, or a factory among the parameters, returns, none if not known."""
    path = path_of(call.func)
    assert around.function is not None
    default = defaults(around.function.args).get(path.variable)
    if default is not None:
        return _classes(tree, module, call, path_of(default))
    values = tree.index.resolver.values(module, module.innermost(call.lineno), path.called())
    named = {Value(CLASS_OF[v.kind], v.name) for v in values if v.kind in CLASS_OF}
    return frozenset(named) if len(named) == len(values) else frozenset()


def _classes(tree: Tree, module: ModuleFacts, call: ast.Call, path: AccessPath) -> frozenset[Value]:
    values = tree.index.resolver.values(module, module.innermost(call.lineno), path)
    return values if values and all(map(_is_class, values)) else frozenset()


def _is_class(value: Value) -> bool:
    return value.kind == "class" or (value.kind == "external" and is_neural(value.name))
