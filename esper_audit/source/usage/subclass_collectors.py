"""Classes that collect their subclasses, which are used without a mention of their names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from esper_audit.source.facts.records import Use
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Place


class SubclassCollectors:
    """Determines whether a class of the tree collects its subclasses, each class once."""

    def __init__(self, index: Index, line_of: Callable[[Place], str]) -> None:
        self._index = index
        self._line_of = line_of
        self._known: dict[str, bool] = {}

    def is_collecting(self, base: str) -> bool:
        """Return whether a class of the tree collects its subclasses."""
        if base not in self._known:
            self._known[base] = self._collects(base)
        return self._known[base]

    def _collects(self, base: str) -> bool:
        if self._index.resolver.hierarchy.has(base, "__init_subclass__"):
            return True
        symbol = self._index.of_key(base)
        if any(symbol.short in text for text in self._searches):
            return True
        uses = self._index.references(symbol, {Use.READ}).items
        return any("issubclass(" in self._line_of(reference.place) for reference in uses)

    @cached_property
    def _searches(self) -> frozenset[str]:
        """The mentions of `__subclasses__`, as text."""
        return frozenset(use.text for use in self._index.mentions("__subclasses__").items)
