"""Attributes that code outside of a class binds on its objects, and methods that it binds on other classes."""

from __future__ import annotations

import ast
from itertools import pairwise

from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name


def _is_own_object(target: ast.Attribute, file: FileView) -> bool:
    """Return whether an attribute is one of the object of the method around it.

    `__new__` and class methods make an object that they call `self`.
    """
    if dotted(target.value) != "self":
        return False
    around = file.definitions(target)
    return any(
        isinstance(outer, ast.ClassDef)
        and isinstance(scope, Function)
        and own_name(scope) == "self"
        for outer, scope in pairwise(around)
    )


def set_from_outside(file: FileView) -> frozenset[str]:
    """Return the attributes that the file sets on anything but a method's own object, also by `setattr`."""
    targets = [n for n in file.nodes(ast.Attribute) if isinstance(n.ctx, ast.Store)]
    names = {target.attr for target in targets if not _is_own_object(target, file)}
    calls = (n for n in file.nodes(ast.Call) if terminal_name(n.func) == "setattr")
    named = (a for call in calls for a in call.args[1:2] if isinstance(a, ast.Constant))
    return frozenset(names | {str(name.value) for name in named})


def is_put_on_others(method: Function, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether the file binds a method of a class on another object: `other.run = Own.run`."""
    for statement in file.nodes(ast.Assign):
        value = statement.value
        if (
            isinstance(value, ast.Attribute)
            and value.attr == method.name
            and terminal_name(value.value) == definition.name
            and any(isinstance(target, ast.Attribute) for target in statement.targets)
        ):
            return True
    return False


def is_filled_by_names(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether the file sets attributes of a class or its objects by computed names.

    A function does so by `setattr`, on the class, on an object that it makes, or on what the class or
    another function of the file passes to it.
    """
    computed = [
        call
        for call in file.calls("setattr")
        if len(call.args) > 1 and not isinstance(call.args[1], ast.Constant)
    ]
    return any(_is_set_on(call, definition, file) for call in computed)


def _is_set_on(call: ast.Call, definition: ast.ClassDef, file: FileView) -> bool:
    functions = file.functions(call)
    if _is_object_of(call.args[0], definition, file):
        return True
    taken = [p.arg for p in parameters(functions[-1].args)] if functions else []
    target = dotted(call.args[0])
    if target not in taken or target == "self":
        return False
    passed = (a for c in file.calls(functions[-1].name) for a in c.args)
    return any(_is_object_of(argument, definition, file) for argument in passed)


def _is_object_of(value: ast.expr, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether an expression is a class, an object of it, or `self` in one of its methods."""
    if isinstance(value, ast.Call):
        return dotted(value.func) == definition.name
    if dotted(value) == "self":
        return definition in file.definitions(value)
    functions = file.functions(value)
    made = scan(functions[-1], {ast.Assign}) if functions else file.tree.body
    return dotted(value) == definition.name or any(
        isinstance(s, ast.Assign)
        and isinstance(s.value, ast.Call)
        and dotted(s.value.func) == definition.name
        and dotted(value) in map(dotted, s.targets)
        for s in made
    )
