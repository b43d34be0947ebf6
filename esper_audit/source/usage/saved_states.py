"""The functions of a tree that save and load a state, paired by their place, their names or their keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from esper_audit.source.facts.records import Use
from esper_audit.source.idioms.state.key_places import conditional_keys
from esper_audit.source.idioms.state.state_functions import LOADED_BY, counterparts, is_saver
from esper_audit.source.idioms.state.state_keys_read import LOADERS, KeyRead, read_keys
from esper_audit.source.idioms.state.state_keys_written import SAVERS, KeyWrite, written_keys
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.signatures import KINDS
from esper_audit.source.usage.tree import Tree

SHARED_KEYS = 2  # two states that have fewer keys in common may be different states


class Saver(NamedTuple):
    """A function that saves a state, its keys, and those of them that it writes on every path."""

    symbol: Symbol
    written: KeyWrite
    always: frozenset[str]


class StatePair(NamedTuple):
    """A function that loads a state, its keys, and the functions that save this state."""

    loader: Symbol
    read: KeyRead
    savers: tuple[Saver, ...]


class SavedStates:
    """The savers and loaders of the production code of a tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def beside(self) -> Iterator[StatePair]:
        """Yield the pairs of one class or module, by their names."""
        by_place = {(s.symbol.path, s.symbol.symbol): s for s in self._savers}
        for loader, read in self._loaders:
            beside = (by_place.get(place) for place in _places_beside(loader))
            savers = tuple(saver for saver in beside if saver is not None)
            if savers:
                yield StatePair(loader, read, savers)

    def apart(self) -> Iterator[StatePair]:
        """Yield the loaders of files whose savers are in other files, by their names and keys.

        A loader with a saver of its own beside it is none, also where the keys of that are not known.
        """
        saving = {(symbol.path, symbol.symbol) for symbol in self._saving}
        for loader, read in self._loaders:
            savers = tuple(s for s in self._savers if _is_of_state(s, loader, read))
            if savers and saving.isdisjoint(_places_beside(loader)):
                yield StatePair(loader, read, savers)

    @cached_property
    def _saving(self) -> list[Symbol]:
        return list(self._functions(SAVERS, savers=True))

    @cached_property
    def _savers(self) -> list[Saver]:
        found = []
        for symbol in self._saving:
            function = self._tree.function(symbol)
            written = written_keys(function) if function is not None else None
            if function is not None and written is not None:
                always = written.keys - conditional_keys(function)
                found.append(Saver(symbol, written, always))
        return found

    @cached_property
    def _loaders(self) -> list[tuple[Symbol, KeyRead]]:
        found = []
        for symbol in self._functions(LOADERS, savers=False):
            function = self._tree.function(symbol)
            read = read_keys(function) if function is not None else None
            if read is not None:
                found.append((symbol, read))
        return found

    def _functions(self, calls: frozenset[str], *, savers: bool) -> Iterator[Symbol]:
        """Yield the functions that save or load by their name or by a call such as `torch.save`."""
        calling = {
            (reference.place.path, reference.place.symbol)
            for name in sorted(calls)
            for reference in self._tree.index.mentions(name, {Use.CALL}).items
        }
        for symbol in self._tree.in_scope(self._tree.index.all_symbols(KINDS)):
            is_named = bool(counterparts(symbol.short)) and is_saver(symbol.short) is savers
            if is_named or (symbol.path, symbol.symbol) in calling:
                yield symbol


def _places_beside(loader: Symbol) -> list[tuple[str, str]]:
    """Return the paths and symbols that the saver of a loader has in the same class or module."""
    scope, dot, name = loader.symbol.rpartition(".")
    return [(loader.path, scope + dot + other) for other in sorted(counterparts(name))]


def _is_of_state(saver: Saver, loader: Symbol, read: KeyRead) -> bool:
    """Return whether a function of another file saves the state that a loader reads."""
    shared = read.keys & saver.written.keys
    if saver.symbol.path == loader.path or len(shared) < SHARED_KEYS:
        return False
    if saver.symbol.short in LOADED_BY or loader.short in LOADED_BY.values():
        return False  # a state of the object itself
    return saver.symbol.short in counterparts(loader.short) or 2 * len(shared) >= len(read.keys)
