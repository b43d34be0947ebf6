"""The names of a file that can refer to torch."""

from __future__ import annotations

import ast

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import LONGEST_ALIAS_CHAIN, imported

TORCH = "torch"


def is_below(name: str, prefix: str) -> bool:
    """Return whether a dotted name is another one or a part of it."""
    return name == prefix or name.startswith(f"{prefix}.")


def root_name(node: ast.expr) -> str:
    """Return the name at the start of a chain of attributes, or "" for `self`, `cls` and other nodes."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) and node.id not in {"self", "cls"} else ""


def torch_names(file: FileView) -> frozenset[str] | None:
    """Return the names that can refer to torch or a part of it.

    After a star import of torch every name can, and the result is None.
    """
    names: set[str] = set()
    for statement in (*file.nodes(ast.Import), *file.nodes(ast.ImportFrom)):
        assert isinstance(statement, (ast.Import, ast.ImportFrom))
        for name, target in imported(statement):
            if is_below(target, TORCH):
                names.add(name)
    if "*" in names:
        return None
    if not names:
        return frozenset()
    assigned = [
        (target.id, root_name(statement.value))
        for statement in file.nodes(ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]
    for _ in range(LONGEST_ALIAS_CHAIN):
        more = {target for target, root in assigned if root in names} - names
        if not more:
            break
        names |= more
    return frozenset(names)
