"""Writes of private attributes, and whether the writing code owns the attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import names_in, scan, walk
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

SELF_NAMES = frozenset({"self", "cls", "mcs", "klass", "__class__"})
SETTERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__"})
PATCHERS = frozenset({"monkeypatch", "mp", "mocker", "patch"})
# Calls that make another object of the same class: `cls(...)`, `type(self)(...)`, `copy(self)`.
SAME_CLASS_FACTORIES = frozenset(
    {"__class__", "__copy__", "__deepcopy__", "__new__", "clone", "cls"}
)
COPIES = frozenset({"copy", "deepcopy", "replace"})
NAMING_NODES = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute, ast.Assign}
    | {ast.Call, ast.Subscript}
)
COMPARISON_METHODS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})


class Write(NamedTuple):
    """A write of a private attribute: the object, the name, the value (None for a deletion)."""

    receiver: ast.expr
    name: str
    value: ast.expr | None


def private_writes(node: ast.AST, called: str = "") -> Iterator[Write]:
    """Yield the writes of private attributes by a statement or by a call such as `setattr`.

    `called` is the name of the called function where an alias stands for it.
    """
    if node.__class__ is ast.Assign:
        for target in node.targets:
            yield from _target_writes(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield from _target_writes(node.target, node.value)
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            yield from _target_writes(target, None)
    elif isinstance(node, ast.Call) and (called or dotted(node.func)).rpartition(".")[2] in SETTERS:
        if dotted(node.func).partition(".")[0] in PATCHERS:
            return  # undone at the end of the test
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


def is_made_or_marked_here(receiver: ast.expr, functions: Sequence[Function]) -> bool:
    """Return whether a function returns the object: one that it made, or the one that it decorates."""
    name = receiver.id if isinstance(receiver, ast.Name) else ""
    for function in functions:
        returned = {dotted(n.value) for n in scan(function, {ast.Return}) if _returns(n)}  # type: ignore[attr-defined]  # a return
        if not name or name not in returned:
            continue
        given = [p.arg for p in parameters(function.args) if p.arg not in SELF_NAMES]
        is_decorator = given == [name] or (name in given[:1] and function is not functions[0])
        made = {terminal_name(c.func)[:1].isupper() for c in _calls_assigned_to(name, function)}
        is_argument = any(p.arg == name for p in parameters(function.args))
        if is_decorator or (made == {False} and not is_argument):
            return True
    return False


def is_own_by_alias(receiver: ast.expr, functions: Sequence[Function]) -> bool:
    """Return whether a name is another name of `self` in its function."""
    pairs = (
        (dotted(target), dotted(node.value))
        for function in functions[-1:]
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
    sources = {source for target, source in pairs if target == dotted(receiver)}
    return isinstance(receiver, ast.Name) and sources == {"self"}


def _returns(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and node.value is not None


def _target_writes(target: ast.expr, value: ast.expr | None) -> Iterator[Write]:
    if target.__class__ is ast.Attribute:
        if is_private(target.attr):
            yield Write(target.value, target.attr, value)
    elif isinstance(target, ast.Subscript):
        key, owner = target.slice, _owner_of_dict(target.value)
        name = key.value if isinstance(key, ast.Constant) else None
        if owner is not None and isinstance(name, str) and is_private(name):
            yield Write(owner, name, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _target_writes(part, value)


def _owner_of_dict(node: ast.expr) -> ast.expr | None:
    """Return the object of `o.__dict__` or `vars(o)`, else None."""
    if isinstance(node, ast.Attribute):
        return node.value if node.attr == "__dict__" else None
    is_vars = isinstance(node, ast.Call) and dotted(node.func) == "vars" and len(node.args) == 1
    return node.args[0] if is_vars and isinstance(node, ast.Call) else None


def _names_in(class_: ast.ClassDef) -> Iterator[str]:
    for node in scan(class_, NAMING_NODES):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Store) and dotted(node.value) in SELF_NAMES:
                yield node.attr
        elif isinstance(node, Definition):
            yield node.name
        else:
            yield from _spelled_names(node)


def _spelled_names(node: ast.AST) -> Iterator[str]:
    """Yield the names in `__slots__`, `setattr(self, "_x", ...)` and `self.__dict__["_x"]`."""
    spelled: list[ast.expr] = []
    if isinstance(node, ast.Assign) and "__slots__" in map(dotted, node.targets):
        spelled = [part for part in walk(node.value) if isinstance(part, ast.expr)]
    elif isinstance(node, ast.Call) and any(dotted(a) in SELF_NAMES for a in node.args[:1]):
        spelled = node.args[1:2]
    elif isinstance(node, ast.Subscript):
        owner = _owner_of_dict(node.value)
        spelled = [node.slice] if owner is not None and dotted(owner) in SELF_NAMES else []
    for part in spelled:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


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
    names = names_in(annotation)
    names |= {str(node.value) for node in walk(annotation) if isinstance(node, ast.Constant)}
    return not names.isdisjoint(classes | {"Self"})
