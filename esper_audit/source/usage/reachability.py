"""Reachability: the uses of a symbol, the function in which each runs, and what some roots reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Symbol

if TYPE_CHECKING:
    from esper_audit.source.index.reference_table import MentionGroup, ResolvedMention
    from esper_audit.source.usage.tree import Tree

NO_USE = frozenset({Use.IMPORT, Use.EXPORT, Use.ANNOTATION})
MODULE_LEVEL = ""


Keys = tuple[str, ...]


def users(tree: Tree, symbol: Symbol) -> list[ResolvedMention]:
    """Return the uses of a symbol outside its own body, with those that may refer to another method of its name."""
    table = tree.reference_table
    hits = (hit for group in table.groups(symbol) for hit in table.in_group(group))
    return [hit for hit in hits if hit.use not in NO_USE and not hit.is_inside(symbol)]


def running_function(hit: ResolvedMention) -> str:
    """Return the key of the function in which a use runs, `MODULE_LEVEL` for the top of a file."""
    around = hit.running_function
    return f"{hit.module.path}:{around}" if around else MODULE_LEVEL


class UseGraph:
    """The symbols that each function uses.

    `source_of` returns the key of the function in which a use runs, any other text for a root, and None
    for a use that does not count. Symbols of one name share the uses of which only the name is known:
    each leads to one object, the keys of all of them, so that neither time nor memory is their product.
    """

    def __init__(
        self,
        tree: Tree,
        symbols: Mapping[str, Symbol],
        source_of: Callable[[ResolvedMention], str | None],
    ) -> None:
        self._leads_to: dict[str, list[Keys]] = defaultdict(list)
        self._source_of = source_of
        members: dict[MentionGroup, list[str]] = defaultdict(list)
        for key, symbol in symbols.items():
            for group in tree.reference_table.groups(symbol):
                members[group].append(key)
        while members:
            group, keys = members.popitem()
            self._add(group, tuple(keys), tree.reference_table.in_group(group))

    def add(self, source: str, key: str) -> None:
        """Add that one symbol leads to another."""
        self._leads_to[source].append((key,))

    def used_by(self, source: str) -> list[Keys]:
        """Return the keys of what a function or a root uses, in groups."""
        return self._leads_to.get(source, [])

    def _add(self, group: MentionGroup, keys: Keys, hits: Iterable[ResolvedMention]) -> None:
        """Add the uses of a group, each for the keys in whose body it is not located."""
        others: dict[frozenset[str], Keys] = {frozenset(): keys}
        known: set[tuple[str, frozenset[str]]] = set()
        for hit in hits:
            source = None if hit.use in NO_USE else self._source_of(hit)
            if source is None:
                continue
            within = _bodies_around(hit, group.name)
            if (source, within) not in known:
                known.add((source, within))
                if within not in others:
                    others[within] = tuple(key for key in keys if key not in within)
                self._leads_to[source].append(others[within])


class Unreached:
    """The `keys` that no root reaches: all at first, and less with each root."""

    def __init__(self, graph: UseGraph, keys: Iterable[str]) -> None:
        self.keys = set(keys)
        self._graph = graph
        self._done: set[int] = set()  # the groups of keys of which none is left, by identity

    def discard(self, root: str) -> None:
        """Discard a root and all that it reaches."""
        self.keys.discard(root)
        pending = [root]
        while pending:
            for keys in self._graph.used_by(pending.pop()):
                if id(keys) not in self._done:
                    self._done.add(id(keys))
                    reached = [key for key in keys if key in self.keys]
                    self.keys.difference_update(reached)
                    pending += reached


def _bodies_around(hit: ResolvedMention, name: str) -> frozenset[str]:
    """Return the keys of the definitions of a name around a mention."""
    around = hit.around
    if name not in around:
        return frozenset()
    parts = around.split(".")
    ends = (end for end, part in enumerate(parts, 1) if part == name)
    return frozenset(f"{hit.module.path}:{'.'.join(parts[:end])}" for end in ends)
