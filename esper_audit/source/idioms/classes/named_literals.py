"""Literals that a file, a class or a function binds to a name, in the place of the name."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted


def with_literal(test: ast.expr, function: Function, file: FileView) -> ast.expr:
    """Return a comparison with the literal that the file or the class binds to the name on its right."""
    right = test.comparators[-1] if isinstance(test, ast.Compare) and len(test.ops) == 1 else None
    if not isinstance(test, ast.Compare) or not isinstance(right, (ast.Name, ast.Attribute)):
        return test
    table, local = file.once(class_table), file.once(FunctionValues).reaching(right)
    owner = table.owner(function)
    holder, _, name = dotted(right).rpartition(".")
    bodies: list[list[ast.stmt]] = [] if holder or local else [file.tree.body]
    if owner is not None and holder in ("self", "cls", owner.name) and not local:
        family = table.family(owner)
        bodies = [] if family.bindings(name) else [m.definition.body for m in family.members[:1]]
    bound = [value for body in bodies for value in _bound(body, name)]
    bound += [v.value for v in local if v.value is not None]
    is_known = len(bound) == 1 and len(local) < 2
    return ast.Compare(test.left, test.ops, bound) if is_known else test


def _bound(body: Sequence[ast.stmt], name: str) -> Iterator[ast.expr]:
    """Yield what the statements of a body bind to a name."""
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            yield from (statement.value for target in targets if dotted(target) == name)
