"""Writes of private attributes, and whether the writing code owns the attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

SELF_NAMES = frozenset({"self", "cls", "mcs", "klass", "__class__"})
SETTERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__"})
# Calls that make another object of the same class: `cls(...)`, `type(self)(...)`, `copy(self)`.
SAME_CLASS_FACTORIES = frozenset(
    {"__class__", "__copy__", "__deepcopy__", "__new__", "clone", "cls"}
)
COPIES = frozenset({"copy", "deepcopy", "replace"})
NAMING_NODES = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute, ast.Constant}
)
COMPARISON_METHODS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})


class Write(NamedTuple):
    """A write of a private attribute: the object, the name, the value (None for a deletion)."""

    receiver: ast.expr
    name: str
    value: ast.expr | None


def private_writes(node: ast.AST) -> Iterator[Write]:
    """Yield the writes of private attributes by a statement or by a call such as `setattr`."""
    if node.__class__ is ast.Assign:
        for target in node.targets:
            yield from _target_writes(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield from _target_writes(node.target, node.value)
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            yield from _target_writes(target, None)
    elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in SETTERS:
        name = node.args[1] if len(node.args) > 1 else None
        if (
            isinstance(name, ast.Constant)
            and isinstance(name.value, str)
            and is_private(name.value)
        ):
            yield Write(node.args[0], name.value, node.args[2] if len(node.args) > 2 else None)


def is_private(name: str) -> bool:
    """Return whether a name is private: `_x`, but not `_x_` or `__x__`."""
    return name.startswith("_") and not name.startswith("__") and not name.endswith("_")


def owned_names(file: FileView) -> frozenset[str]:
    """Return the private names that classes of a file define, annotate or set on themselves."""
    outer: list[ast.ClassDef] = []
    for class_ in file.nodes(ast.ClassDef):
        if not outer or (outer[-1].end_lineno or 0) < class_.lineno:
            outer.append(class_)
    return frozenset(name for class_ in outer for name in _names_in(class_) if is_private(name))


def flag_names(file: FileView) -> frozenset[str]:
    """Return the private names that a file only sets to True or False."""
    values: dict[str, set[str]] = {}
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call)
    for write in (w for kind in kinds for node in file.nodes(kind) for w in private_writes(node)):
        value = repr(write.value.value) if isinstance(write.value, ast.Constant) else ""
        values.setdefault(write.name, set()).add(value)
    return frozenset(
        name
        for name, literals in values.items()
        if "True" in literals and literals <= {"True", "False"}
    )


def is_own_instance(receiver: ast.expr, scopes: Sequence[Definition]) -> bool:
    """Return whether an object is `self`, its class or another instance of the enclosing class."""
    if isinstance(receiver, ast.Call):
        return dotted(receiver.func) in ("type", "super") or _is_same_class_call(receiver, scopes)
    name = dotted(receiver)
    if name in SELF_NAMES or name.endswith(".__class__"):
        return True
    functions = [scope for scope in scopes if not isinstance(scope, ast.ClassDef)]
    return isinstance(receiver, ast.Name) and any(
        _is_name_of_same_class(name, function, scopes) for function in functions
    )


def is_defined_in_file(receiver: ast.expr, file: FileView) -> bool:
    """Return whether an object is a function or class that the file itself defines."""
    return isinstance(receiver, ast.Name) and receiver.id in file.once(_defined_names)


def _defined_names(file: FileView) -> frozenset[str]:
    names = {node.name for node in file.nodes(ast.FunctionDef)}
    names |= {node.name for node in file.nodes(ast.AsyncFunctionDef)}
    return frozenset(names | {node.name for node in file.nodes(ast.ClassDef)})


def _target_writes(target: ast.expr, value: ast.expr | None) -> Iterator[Write]:
    if target.__class__ is ast.Attribute:
        if is_private(target.attr):
            yield Write(target.value, target.attr, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _target_writes(part, value)


def _names_in(class_: ast.ClassDef) -> Iterator[str]:
    for node in scan(class_, NAMING_NODES):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Store) and dotted(node.value) in SELF_NAMES:
                yield node.attr
        elif isinstance(node, ast.Constant):
            # `__slots__`, `setattr(self, "_x", ...)`, `self.__dict__["_x"]`.
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, Definition):
            yield node.name


def _is_name_of_same_class(name: str, function: Function, scopes: Sequence[Definition]) -> bool:
    classes = {scope.name for scope in scopes if isinstance(scope, ast.ClassDef)}
    for parameter in parameters(function.args):
        if parameter.arg == name:
            of_class = parameter.annotation is not None and _is_annotated_with(
                parameter.annotation, classes
            )
            return of_class or function.name in COMPARISON_METHODS
    return any(_is_same_class_call(value, scopes) for value in _calls_assigned_to(name, function))


def _calls_assigned_to(name: str, function: Function) -> Iterator[ast.Call]:
    for node in scan(function, {ast.Assign}):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            yield from (node.value for t in node.targets if dotted(t) == name)


def _is_same_class_call(call: ast.Call, scopes: Sequence[Definition]) -> bool:
    classes = {scope.name for scope in scopes if isinstance(scope, ast.ClassDef)}
    if isinstance(call.func, ast.Call):
        return dotted(call.func.func) == "type"
    last = dotted(call.func).rpartition(".")[2]
    copies_self = last in COPIES and [dotted(argument) for argument in call.args[:1]] == ["self"]
    return bool(classes) and (copies_self or last in SAME_CLASS_FACTORIES or last in classes)


def _is_annotated_with(annotation: ast.expr, classes: set[str]) -> bool:
    names = {node.id for node in walk(annotation) if isinstance(node, ast.Name)}
    names |= {str(node.value) for node in walk(annotation) if isinstance(node, ast.Constant)}
    return not names.isdisjoint(classes | {"Self"})
