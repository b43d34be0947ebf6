"""The builder of a file's facts, which drops local variables once the whole file was read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from esper_audit.source.facts.access_path import UNKNOWN, AccessPath, PathKind, named
from esper_audit.source.facts.records import (
    Bound,
    CallArguments,
    Definition,
    DefinitionKind,
    FileFacts,
    Mention,
    ScopeFacts,
    ScopeKind,
    Use,
)
from esper_audit.source.syntax.names import BUILTINS

MOST_ALTERNATIVES = 6
WORD = re.compile(r"(?:[A-Za-z_]\w*[.:])*([A-Za-z_]\w*)")
LONGEST_WORD = 80
STAR = "*"
IMPORTED_OR_DEFINED = frozenset({PathKind.IMPORT, PathKind.DEFINITION})
OPAQUE = frozenset({PathKind.UNKNOWN, PathKind.SELF, PathKind.CLASS})


class Position(NamedTuple):
    """Where something is mentioned: line from 1, column in bytes from 1."""

    line: int
    column: int


class _BareName(NamedTuple):
    name: str
    use: Use
    scope: int
    at: Position
    arguments: CallArguments | None


class FactsBuilder:
    """Collects the facts of one file while its `ast` is read."""

    def __init__(self, lines: int) -> None:
        self.scopes = [ScopeFacts("", ScopeKind.MODULE, -1, 1, lines, {})]
        self.definitions: list[Definition] = []
        self.exports: dict[str, int] | None = None
        self._mentions: list[Mention] = []
        self._names: list[_BareName] = []
        self._strings: dict[str, list[tuple[int, int]]] = {}
        self._attributes: dict[int, dict[str, list[Bound]]] = {}
        self._type_checking: dict[int, list[str]] = {}
        self._outer_owners: dict[tuple[int, str], int] = {}
        self._selves: dict[int, tuple[str, int]] = {}
        self._read: set[tuple[int, str]] = set()
        self._returned: dict[int, list[AccessPath]] = {}
        self._generators: set[int] = set()
        self._of_scope: dict[int, int] = {}

    def open_scope(self, scope: ScopeFacts) -> int:
        """Add a scope and return its position."""
        self.scopes.append(scope)
        return len(self.scopes) - 1

    def define(self, definition: Definition) -> None:
        """Add a definition."""
        if definition.scope >= 0:
            self._of_scope[definition.scope] = len(self.definitions)
        self.definitions.append(definition)

    def add_returned(self, scope: int, paths: Iterable[AccessPath]) -> None:
        """Add what a function may return."""
        known = self._returned.setdefault(scope, [])
        known += [path for path in dict.fromkeys(paths) if path not in known]
        del known[MOST_ALTERNATIVES:]

    def add_yielded(self, scope: int, paths: Iterable[AccessPath]) -> None:
        """Mark a function as a generator, and add what it yields."""
        self._generators.add(scope)
        self.add_returned(scope, paths)

    def qualified(self, scope: int, name: str) -> str:
        """Return the dotted name of a definition in a scope."""
        outer = self.scopes[scope].name
        return f"{outer}.{name}" if outer else name

    def bind(self, scope: int, name: str, path: AccessPath) -> None:
        """Bind a name of a scope to what a path leads to."""
        scope = self._outer_owners.get((scope, name), scope)
        bindings = self.scopes[scope].bindings
        known = bindings.get(name, ())
        if path not in known:
            bindings[name] = (*known, path if len(known) < MOST_ALTERNATIVES else UNKNOWN)

    def declare_outer(self, scope: int, name: str, *, is_global: bool) -> None:
        """Note a `global` or `nonlocal` name, which an outer scope binds."""
        owner = 0 if is_global else self._owner(self.scopes[scope].parent, name)
        self._outer_owners[scope, name] = owner if owner is not None else 0

    def is_declared_outer(self, scope: int, name: str) -> bool:
        """Return whether a scope declared a name `global` or `nonlocal`."""
        return (scope, name) in self._outer_owners

    def bind_self(self, scope: int, name: str, class_scope: int) -> None:
        """Note the parameter of a method that refers to the object, or to the class."""
        self._selves[scope] = (name, self._of_scope[class_scope])

    def set_attribute(self, scope: int, name: str, attribute: str, bound: Bound) -> None:
        """Note a value given to `name.attribute`, if `name` is the object itself."""
        at = scope
        while at > 0:
            own, definition = self._selves.get(at, ("", -1))
            if own == name:
                known = self._attributes.setdefault(definition, {})
                known.setdefault(attribute, []).append(bound)
                return
            if own or name in self.scopes[at].bindings:
                return
            at = self.scopes[at].parent

    def add_mention(self, mention: Mention) -> None:
        """Add a mention of an attribute, an import or a base: anything but a bare name."""
        self._mentions.append(mention)

    def add_name(
        self, name: str, use: Use, scope: int, at: Position, arguments: CallArguments | None = None
    ) -> None:
        """Add a bare name. `build` drops it if it is a local variable."""
        self._names.append(_BareName(name, use, scope, at, arguments))

    def add_string(self, text: str, at: Position) -> None:
        """Add a string that could be a name, or end in one (`package.module:name`)."""
        match = WORD.fullmatch(text) if len(text) <= LONGEST_WORD else None
        if match is not None:
            self._strings.setdefault(match[1], []).append(at)

    def mark_type_checking(self, scope: int, name: str) -> None:
        """Mark a name as imported for type checkers only."""
        self._type_checking.setdefault(scope, []).append(name)

    def mark_all_read(self, scope: int) -> None:
        """Mark every name of a scope as read, for a call of `locals()`."""
        self._read.update((scope, name) for name in self.scopes[scope].bindings)

    def mark_augmented(self, scope: int, name: str) -> None:
        """Mark the name in `name += value` as read: this may change an object of the caller."""
        self._read.add((scope, name))

    def build(self) -> FileFacts:
        """Return the facts, with mentions in the order of the text."""
        for name in self._names:
            self._resolve_name(name)
        self._mentions.sort(key=lambda m: (m.line, m.column, m.use))
        return FileFacts(
            [self._with_type_checking(at) for at in range(len(self.scopes))],
            [self._completed(at) for at in range(len(self.definitions))],
            self._mentions,
            {word: tuple(places) for word, places in self._strings.items()},
            self.exports,
        )

    def _resolve_name(self, name: _BareName) -> None:
        owner = self._owner(name.scope, name.name)
        if owner is None:
            if name.name in BUILTINS and STAR not in self.scopes[0].bindings:
                return
        elif self.scopes[owner].kind is ScopeKind.FUNCTION:
            if name.use is not Use.WRITE:
                self._read.add((owner, name.name))
            if not self._is_recorded(owner, name):
                return
        path = named(name.name)
        self._mentions.append(Mention(path, name.use, name.scope, *name.at, name.arguments))

    def _is_recorded(self, owner: int, name: _BareName) -> bool:
        """Return whether a local name is an import, a local function, or a call of its value."""
        bound = self.scopes[owner].bindings[name.name]
        if any(path.kind in IMPORTED_OR_DEFINED for path in bound):
            return True
        return name.use is Use.CALL and any(path.kind not in OPAQUE for path in bound)

    def _owner(self, scope: int, name: str) -> int | None:
        """Return the scope that binds a name as seen from a scope. A class is seen from its body only."""
        at = scope
        while at >= 0:
            known = self._outer_owners.get((at, name))
            if known is not None:
                return known
            is_seen = at == scope or self.scopes[at].kind is not ScopeKind.CLASS
            if is_seen and name in self.scopes[at].bindings:
                return at
            at = self.scopes[at].parent
        return None

    def _with_type_checking(self, at: int) -> ScopeFacts:
        names = self._type_checking.get(at, ())
        scope = self.scopes[at]
        return msgspec.structs.replace(scope, type_checking=tuple(names)) if names else scope

    def _completed(self, at: int) -> Definition:
        definition = self.definitions[at]
        if at in self._attributes:
            bound = {name: tuple(values) for name, values in self._attributes[at].items()}
            return msgspec.structs.replace(definition, attributes=bound)
        if definition.kind not in (DefinitionKind.FUNCTION, DefinitionKind.METHOD):
            return definition
        parameters = tuple(
            msgspec.structs.replace(p, read=(definition.scope, p.name) in self._read)
            for p in definition.parameters
        )
        return msgspec.structs.replace(
            definition,
            parameters=parameters,
            returned=tuple(self._returned.get(definition.scope, ())),
            generator=definition.scope in self._generators,
        )
