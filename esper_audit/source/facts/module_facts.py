"""The facts of one file with look-up tables: definitions by name, mentions by last name, aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import msgspec

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.access_path import words
from esper_audit.source.facts.records import (
    Definition,
    DefinitionKind,
    FileFacts,
    Mention,
    Paths,
    ScopeKind,
)
from esper_audit.source.facts.shared_parts import SharedParts

NOTHING_ENCODED = memoryview(b"")
NamesByName = dict[str, tuple[tuple[str, bool], ...]]


class ModuleFacts:
    """The facts of a file, its path, the name of its module, and what it is for.

    `encoded` are the facts as msgpack, which are decoded when they are first needed. `shared` holds the
    parts of all facts of the tree.
    """

    def __init__(
        self, path: str, name: str, role: Role, encoded: memoryview, shared: SharedParts
    ) -> None:
        self.path = path
        self.name = name
        self.role = role
        self._encoded = encoded
        self._shared = shared

    @cached_property
    def facts(self) -> FileFacts:
        """The facts."""
        facts = msgspec.msgpack.decode(self._encoded, type=FileFacts)
        self._encoded = NOTHING_ENCODED
        self._shared.share(facts)
        return facts

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """Definitions by dotted name. Of several with one name the last that is no stub counts.

        A class or function stays what it is where its name is bound again (`f = cache(f)`).
        """
        found: dict[str, Definition] = {}
        for definition in self.facts.definitions:
            known = found.get(definition.name)
            is_weaker = known is not None and known.scope >= 0 > definition.scope
            if known is None or (not is_weaker and (known.stub or not definition.stub)):
                found[definition.name] = definition
        return found

    @cached_property
    def by_scope(self) -> dict[int, Definition]:
        """The function or class that opens each scope."""
        return {d.scope: d for d in self.facts.definitions if d.scope >= 0}

    @cached_property
    def mentions(self) -> dict[str, list[Mention]]:
        """Mentions by the last name of their path."""
        found: dict[str, list[Mention]] = defaultdict(list)
        for mention in self.facts.mentions:
            found[mention.path.terminal].append(mention)
        return found

    @cached_property
    def classes(self) -> list[Definition]:
        """The classes of the file."""
        return [d for d in self.facts.definitions if d.kind is DefinitionKind.CLASS]

    @cached_property
    def members(self) -> dict[str, list[str]]:
        """The members of the file's classes, each with the classes that have it."""
        found: dict[str, list[str]] = defaultdict(list)
        for definition in self.classes:
            names = {*self.facts.scopes[definition.scope].bindings, *definition.attributes}
            for name in names:
                found[name].append(definition.name)
        return found

    def _bound(self) -> Iterator[tuple[str, Paths, bool]]:
        """Yield every name or attribute that is bound, what it is bound to, and whether other files see it."""
        for scope in self.facts.scopes:
            is_seen = scope.kind is not ScopeKind.FUNCTION
            for name, paths in scope.bindings.items():
                yield name, paths, is_seen
        for definition in self.classes:
            for name, bounds in definition.attributes.items():
                yield name, tuple(bound.path for bound in bounds), True

    @cached_property
    def _other_names(self) -> NamesByName:
        """The names that are bound to each name, each with whether other files see it."""
        return _inverted(self._bound(), _aliased_names)

    @cached_property
    def _names_of_results(self) -> NamesByName:
        """The names that are bound to an expression with each name in it, each with whether other files see it."""
        return _inverted(self._bound(), _source_names)

    def aliases(self, names: frozenset[str], *, results: bool = False) -> tuple[set[str], set[str]]:
        """Return the aliases of some names: those in this file, and those that other files see.

        With `results` also the names of what a call of it returns, contains it or is annotated with it.
        """
        other_names = self._names_of_results if results else self._other_names
        here, everywhere = set(names), set(names)
        pending = [name for name in names if name in other_names]
        while pending:
            for name, is_seen in other_names[pending.pop()]:
                if is_seen:
                    everywhere.add(name)
                if name not in here:
                    here.add(name)
                    pending += [name] if name in other_names else []
        return here - names, everywhere - names

    def enclosing(self, scope: int) -> Iterator[int]:
        """Yield a scope and those around it, innermost first."""
        while scope >= 0:
            yield scope
            scope = self.facts.scopes[scope].parent

    def innermost(self, line: int) -> int:
        """Return the innermost scope around a line: scopes are listed outermost first."""
        scopes = self.facts.scopes
        around = (at for at in reversed(range(len(scopes))) if scopes[at].holds(line))
        return next(around, 0)

    def class_around(self, scope: int) -> Definition | None:
        """Return the class around a scope, through nested functions."""
        for around in self.enclosing(scope):
            if self.facts.scopes[around].kind is ScopeKind.CLASS:
                return self.by_scope[around]
        return None

    def symbol(self, scope: int) -> str:
        """Return the dotted name of a scope."""
        return self.facts.scopes[scope].name


def _inverted(
    bound: Iterable[tuple[str, Paths, bool]], words_of: Callable[[Paths], frozenset[str]]
) -> NamesByName:
    found: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for name, paths, is_seen in bound:
        for word in words_of(paths):
            if word != name:
                found[word].add((name, is_seen))
    return {word: tuple(names) for word, names in found.items()}


def _aliased_names(paths: Paths) -> frozenset[str]:
    """Return the names of which a name that is bound to these paths is an alias."""
    return frozenset(path.terminal for path in paths if path.is_alias)


def _source_names(paths: Paths) -> frozenset[str]:
    """Return every name in some paths."""
    return frozenset().union(*(words(path) for path in paths))
