"""Code that never runs, as far as one file shows it: unused definitions, and branches that nothing takes."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.branches.admitted_values import is_ruled_out
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.classes.module_members import MODULE_MEMBERS
from esper_audit.source.idioms.classes.outside_bindings import set_from_outside
from esper_audit.source.idioms.classes.switches import ConstantAttributes
from esper_audit.source.idioms.classes.unset_attributes import KNOWN_BASES
from esper_audit.source.syntax.enclosing import Definition, is_within, last_line
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

EXPORTS = "__all__"


def is_unreachable(node: ast.expr | ast.stmt, file: FileView) -> bool:
    """Return whether the file shows that a node never runs.

    It is in a definition that nothing can use, behind tests for each value that is admitted, or below
    a condition on what the class, the function or the module binds to constants alone.
    """
    statement = node if isinstance(node, ast.stmt) else file.enclosing(node)[-1]
    if is_ruled_out(statement, file) or is_unused(node, file):
        return True
    functions = file.functions(node)
    if not functions:
        return False
    table = file.once(class_table)
    owner = table.owner(functions[-1])
    families = [table.family(d) for d in (owner, *table.subclasses(owner))] if owner else []
    constants = ConstantAttributes(families, file.once(set_from_outside), file)
    return constants.is_dead(node, functions[-1])


def is_unused(node: ast.expr | ast.stmt, file: FileView) -> bool:
    """Return whether a definition around a node is used nowhere and is open to no other file.

    That is a function in a function, a private method, one that a later definition replaces, and what
    `__all__` leaves out.
    """
    around = file.definitions(node)
    outer: list[Definition | None] = [None, *around]
    return any(_is_unused(d, o, file) for o, d in zip(outer, around, strict=False))


def _is_unused(definition: Definition, outer: Definition | None, file: FileView) -> bool:
    if definition.decorator_list or (definition.name.startswith("__") and outer is not None):
        return False
    if isinstance(outer, Function):
        return not _is_named(definition, file)
    if _is_replaced(definition, outer, file):
        return True
    if isinstance(outer, ast.ClassDef):
        is_private = isinstance(definition, Function) and definition.name.startswith("_")
        return (
            is_private
            and _is_closed(outer, definition.name, file)
            and not _is_named(definition, file)
        )
    exports = file.once(_exports)
    return bool(exports) and definition.name not in exports and not _is_named(definition, file)


def _is_closed(owner: ast.ClassDef, name: str, file: FileView) -> bool:
    """Return whether no base of another file calls a method by its name."""
    family: ClassFamily = file.once(class_table).family(owner)
    return (
        family.foreign_bases <= KNOWN_BASES and name not in MODULE_MEMBERS and not family.is_dynamic
    )


def _is_named(definition: Definition, file: FileView) -> bool:
    """Return whether a file names a definition outside of itself, also as a text."""
    name, body = definition.name, [definition]
    nodes: list[ast.expr] = [n for n in file.nodes(ast.Name) if n.id == name]
    nodes += [a for a in file.nodes(ast.Attribute) if a.attr == name]
    nodes += [c for c in file.nodes(ast.Constant) if c.value == name]
    return any(not is_within(node, body) for node in nodes)


def _is_replaced(definition: Definition, outer: Definition | None, file: FileView) -> bool:
    """Return whether a later definition of the same block takes the name before anything uses it."""
    block = outer.body if outer is not None else file.tree.body
    if definition not in block:
        return False
    later = [s for s in block[block.index(definition) + 1 :] if isinstance(s, Definition)]
    lines = [s.lineno for s in later if s.name == definition.name and not s.decorator_list]
    uses = [n.lineno for n in file.nodes(ast.Name) if n.id == definition.name]
    return bool(lines) and not any(last_line(definition) < line <= lines[0] for line in uses)


def _exports(file: FileView) -> frozenset[str]:
    """Return the names in `__all__`, none where it is missing or no list of texts."""
    found: list[object] = []
    for statement in file.tree.body:
        if isinstance(statement, ast.Assign) and EXPORTS in map(_name, statement.targets):
            listed = statement.value
            values = listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else [listed]
            found += [v.value if isinstance(v, ast.Constant) else None for v in values]
    is_changed = len([n for n in file.nodes(ast.Name) if n.id == EXPORTS]) > 1
    return frozenset() if None in found or is_changed else frozenset(map(str, found))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
