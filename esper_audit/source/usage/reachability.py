"""Reachability: the uses of a symbol, the function in which each runs, and what some roots reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.records import Symbol

if TYPE_CHECKING:
    from esper_audit.source.index.reference_table import ResolvedMention
    from esper_audit.source.usage.tree import Tree

NO_USE = frozenset({Use.IMPORT, Use.EXPORT, Use.ANNOTATION})
MODULE_LEVEL = ""


def users(tree: Tree, symbol: Symbol) -> list[ResolvedMention]:
    """Return the uses of a symbol outside its own body, with those that may refer to another method of its name."""
    hits = list(tree.reference_table.of(symbol))
    if symbol.kind is DefinitionKind.METHOD:
        hits += tree.reference_table.possible_uses(symbol)
    return [hit for hit in hits if hit.use not in NO_USE and not hit.is_inside(symbol)]


def running_function(hit: ResolvedMention) -> str:
    """Return the key of the function in which a use runs, `MODULE_LEVEL` for the top of a file."""
    around = hit.running_function
    return f"{hit.module.path}:{around}" if around else MODULE_LEVEL


def discard_reachable(
    roots: Iterable[str], leads_to: Mapping[str, Iterable[str]], left: set[str]
) -> None:
    """Discard the roots, and all that they reach, from what is left."""
    pending = list(roots)
    while pending:
        key = pending.pop()
        if key in left:
            left.discard(key)
            pending += leads_to.get(key, ())
