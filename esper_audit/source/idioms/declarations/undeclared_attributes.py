"""Attributes of local objects that the class of the file, of which they are, does not have."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.classes.module_members import MODULE_MEMBERS
from esper_audit.source.idioms.declarations.ignored_types import class_of, is_closed
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues, LocalValue
from esper_audit.source.syntax.names import Function, parameters, terminal_name

ENUM_MEMBERS = frozenset({"name", "value"})


def class_without(node: ast.Attribute, file: FileView) -> ast.ClassDef | None:
    """Return the class of the file whose objects lack an attribute, None if it has it or is not known.

    The object is a class of the file, a parameter that is annotated with one, or what one made.
    """
    if not isinstance(node.value, ast.Name) or node.attr.startswith("__"):
        return None
    table = file.once(class_table)
    definition = _class_named(node, file) or _class_of_object(node.value, file)
    if (
        definition is None
        or not is_closed(definition, file)
        or node.attr in MODULE_MEMBERS | ENUM_MEMBERS
    ):
        return None
    families = [table.family(each) for each in (definition, *table.subclasses(definition))]
    has_it = any(each.is_dynamic or each.has_name(node.attr) for each in families)
    return None if has_it else definition


def _class_named(node: ast.Attribute, file: FileView) -> ast.ClassDef | None:
    """Return the class of which an attribute is read by its name, as a member of an enum is."""
    name = terminal_name(node.value)
    is_bound = any(name in file.source.names.function(f).bound for f in file.functions(node))
    is_read = isinstance(node.ctx, ast.Load)
    return file.once(class_table).by_name.get(name) if is_read and not is_bound else None


def _class_of_object(name: ast.Name, file: FileView) -> ast.ClassDef | None:
    found = {
        _class_of_value(value, name, file) for value in file.once(FunctionValues).reaching(name)
    }
    return found.pop() if len(found) == 1 else None


def _class_of_value(value: LocalValue, name: ast.Name, file: FileView) -> ast.ClassDef | None:
    if value.statement is None:
        return _class_of_parameter(name.id, file.functions(name)[-1], file)
    if isinstance(value.statement, ast.AnnAssign):
        return class_of(value.statement.annotation, file)
    if isinstance(value.value, ast.Call) and value.index is None and not value.is_update:
        return file.once(class_table).by_name.get(terminal_name(value.value.func))
    return None


def _class_of_parameter(name: str, function: Function, file: FileView) -> ast.ClassDef | None:
    annotations = (p.annotation for p in parameters(function.args) if p.arg == name)
    return class_of(next(annotations, None), file)
