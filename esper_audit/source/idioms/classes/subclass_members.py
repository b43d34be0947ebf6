"""What a subclass adds to its base, and what an object of the base would lack."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import ClassTable
from esper_audit.source.syntax.names import Function, dotted

UNBOUND = frozenset({"classmethod", "staticmethod"})


def inherits(heir: ast.ClassDef, method: Function, table: ClassTable) -> bool:
    """Return whether a class has a method from its base."""
    return table.family(heir).method(method.name) is method


def is_made_alike(heir: ast.ClassDef, owner: ast.ClassDef, table: ClassTable) -> bool:
    """Return whether a subclass takes the arguments of its base: no second base, no own constructor."""
    own, base = table.family(heir), table.family(owner)
    makers = ("__init__", "__new__")
    return len(heir.bases) == 1 and all(own.method(m) is base.method(m) for m in makers)


def is_factory(heir: ast.ClassDef) -> bool:
    """Return whether a class adds declarations and class methods alone, of which an object loses nothing."""
    body = [s for s in heir.body if not isinstance(s, ast.Expr)]
    return bool(body) and all(
        (isinstance(s, ast.AnnAssign) and s.value is None)
        or (isinstance(s, Function) and any(dotted(d) in UNBOUND for d in s.decorator_list))
        for s in body
    )


def has_member(heir: ast.ClassDef) -> bool:
    """Return whether a class has a member of its own, which an object of its base lacks."""
    return any(isinstance(s, (Function, ast.Assign, ast.AnnAssign)) for s in heir.body)
