"""Names that code composes for a dynamic look-up: `getattr(self, f"visit_{kind}")` may read any `visit_...`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import dotted

if TYPE_CHECKING:
    from esper_audit.source.index.index import Index
    from esper_audit.source.syntax.source import Source

DYNAMIC_LOOKUPS = frozenset(
    {"getattr", "globals", "vars", "methodcaller", "attrgetter", "eval", "exec"}
)


class DynamicNames:
    """The prefixes and suffixes of the names that the tree looks up dynamically."""

    def __init__(self, index: Index, source_of: Callable[[str], Source | None]) -> None:
        self._parts: set[tuple[str, str]] = set()
        for path in _candidate_files(index):
            source = source_of(path)
            if source is not None:
                self._parts.update(_name_affixes(source))

    def may_mean(self, name: str) -> bool:
        """Return whether a name has the prefix and suffix of a composed one."""
        return any(name.startswith(start) and name.endswith(end) for start, end in self._parts)


def _candidate_files(index: Index) -> list[str]:
    paths = {path for word in DYNAMIC_LOOKUPS for path in index.store.paths_with(word)}
    return sorted(paths)


def _name_affixes(source: Source) -> Iterator[tuple[str, str]]:
    """Yield the constant prefix and suffix of strings that are composed in statements with a dynamic look-up."""
    for statement in source.tree.body:
        nodes = list(walk(statement))
        if any(map(_is_dynamic_lookup, nodes)):
            yield from filter(_are_names, map(_last_names, map(_ends, nodes)))


def _last_names(ends: tuple[str, str]) -> tuple[str, str]:
    """Return the prefix and suffix of the name in composed code: `eval(f"self.get_{kind}()")`."""
    return ends[0].rpartition(".")[2], re.split(r"[.(\[]", ends[1])[0]


def _are_names(ends: tuple[str, str]) -> bool:
    """Return whether a prefix and a suffix are those of a name, and not both empty."""
    start, end = ends
    is_end = end.strip("0123456789").isidentifier()
    return start.isidentifier() or (not start and is_end)


def _is_dynamic_lookup(node: ast.AST) -> bool:
    if (
        not isinstance(node, ast.Call)
        or dotted(node.func).rpartition(".")[2] not in DYNAMIC_LOOKUPS
    ):
        return False
    word = node.args[1] if len(node.args) > 1 else None
    return not isinstance(word, ast.Constant)


def _ends(node: ast.AST) -> tuple[str, str]:
    """Return the prefix and suffix of a composed string."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _text(node.values[0]), _text(node.values[-1])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left), _text(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _text(node.left).partition("%")[0], ""
    return "", ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
