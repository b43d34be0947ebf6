"""Who owns a private attribute that is written: the object itself, its class, its like, or somebody else."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

OWN = frozenset({"self", "cls", "mcs", "klass", "__class__"})
SETTERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__"})
# What makes another object of the same class: `cls(...)`, `type(self)(...)`, `copy(self)`.
MAKES_ITS_LIKE = frozenset({"__class__", "__copy__", "__deepcopy__", "__new__", "clone", "cls"})
COPIES = frozenset({"copy", "deepcopy", "replace"})
NAMING = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute, ast.Constant}
)
COMPARES = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})


class Write(NamedTuple):
    """A write of a private attribute: whose, which, and what is assigned (None for a deletion)."""

    receiver: ast.expr
    name: str
    value: ast.expr | None


def private_writes(node: ast.AST) -> Iterator[Write]:
    """Yield what a statement, or a call of `setattr` and the like, writes to private attributes."""
    if node.__class__ is ast.Assign:
        for target in node.targets:
            yield from _written(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield from _written(node.target, node.value)
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            yield from _written(target, None)
    elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in SETTERS:
        name = node.args[1] if len(node.args) > 1 else None
        if (
            isinstance(name, ast.Constant)
            and isinstance(name.value, str)
            and is_private(name.value)
        ):
            yield Write(node.args[0], name.value, node.args[2] if len(node.args) > 2 else None)


def is_private(name: str) -> bool:
    """Return whether a name is for its owner: `_x`, but not `_x_` or `__x__`, which others may set."""
    return name.startswith("_") and not name.startswith("__") and not name.endswith("_")


def owned(file: FileView) -> frozenset[str]:
    """Return the private names that classes of a file define, annotate or set on themselves."""
    outer: list[ast.ClassDef] = []
    for class_ in file.nodes(ast.ClassDef):
        if not outer or (outer[-1].end_lineno or 0) < class_.lineno:
            outer.append(class_)
    return frozenset(name for class_ in outer for name in _named_in(class_) if is_private(name))


def marks(file: FileView) -> frozenset[str]:
    """Return the private names that a file only ever sets to True or False: marks of its own."""
    values: dict[str, set[str]] = {}
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call)
    for write in (w for kind in kinds for node in file.nodes(kind) for w in private_writes(node)):
        value = repr(write.value.value) if isinstance(write.value, ast.Constant) else ""
        values.setdefault(write.name, set()).add(value)
    return frozenset(
        name for name, all_ in values.items() if "True" in all_ and all_ <= {"True", "False"}
    )


def is_own(receiver: ast.expr, scopes: Sequence[Definition]) -> bool:
    """Return whether an object is `self`, its class, or another instance of the class around the code."""
    if isinstance(receiver, ast.Call):
        return dotted(receiver.func) in ("type", "super") or _makes_its_like(receiver, scopes)
    name = dotted(receiver)
    if name in OWN or name.endswith(".__class__"):
        return True
    functions = [scope for scope in scopes if not isinstance(scope, ast.ClassDef)]
    return isinstance(receiver, ast.Name) and any(
        _is_its_like(name, function, scopes) for function in functions
    )


def is_defined(receiver: ast.expr, file: FileView) -> bool:
    """Return whether an object is a function or class that the file itself defines."""
    return isinstance(receiver, ast.Name) and receiver.id in file.once(_defined_names)


def _defined_names(file: FileView) -> frozenset[str]:
    names = {node.name for node in file.nodes(ast.FunctionDef)}
    names |= {node.name for node in file.nodes(ast.AsyncFunctionDef)}
    return frozenset(names | {node.name for node in file.nodes(ast.ClassDef)})


def _written(target: ast.expr, value: ast.expr | None) -> Iterator[Write]:
    if target.__class__ is ast.Attribute:
        if is_private(target.attr):
            yield Write(target.value, target.attr, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _written(part, value)


def _named_in(class_: ast.ClassDef) -> Iterator[str]:
    for node in scan(class_, NAMING):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Store) and dotted(node.value) in OWN:
                yield node.attr
        elif isinstance(node, ast.Constant):
            # `__slots__`, `setattr(self, "_x", ...)`, `self.__dict__["_x"]`.
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, Definition):
            yield node.name


def _is_its_like(name: str, function: Function, scopes: Sequence[Definition]) -> bool:
    classes = {scope.name for scope in scopes if isinstance(scope, ast.ClassDef)}
    for parameter in parameters(function.args):
        if parameter.arg == name:
            of_class = parameter.annotation is not None and _mentions(parameter.annotation, classes)
            return of_class or function.name in COMPARES
    return any(_makes_its_like(value, scopes) for value in _values(name, function))


def _values(name: str, function: Function) -> Iterator[ast.Call]:
    for node in scan(function, {ast.Assign}):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            yield from (node.value for t in node.targets if dotted(t) == name)


def _makes_its_like(call: ast.Call, scopes: Sequence[Definition]) -> bool:
    classes = {scope.name for scope in scopes if isinstance(scope, ast.ClassDef)}
    if isinstance(call.func, ast.Call):
        return dotted(call.func.func) == "type"
    last = dotted(call.func).rpartition(".")[2]
    copies_self = last in COPIES and [dotted(argument) for argument in call.args[:1]] == ["self"]
    return bool(classes) and (copies_self or last in MAKES_ITS_LIKE or last in classes)


def _mentions(annotation: ast.expr, classes: set[str]) -> bool:
    names = {node.id for node in walk(annotation) if isinstance(node, ast.Name)}
    names |= {str(node.value) for node in walk(annotation) if isinstance(node, ast.Constant)}
    return not names.isdisjoint(classes | {"Self"})
