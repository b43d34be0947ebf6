"""Where the reader of a file notes what it sees; once all is seen, names are told apart from local variables."""

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


class _Name(NamedTuple):
    name: str
    use: Use
    scope: int
    at: Position
    arguments: CallArguments | None


class FactsBuilder:
    """The facts of one file as they come in."""

    def __init__(self, lines: int) -> None:
        self.scopes = [ScopeFacts("", ScopeKind.MODULE, -1, 1, lines, {})]
        self.definitions: list[Definition] = []
        self.exports: dict[str, int] | None = None
        self._mentions: list[Mention] = []
        self._names: list[_Name] = []
        self._strings: dict[str, list[tuple[int, int]]] = {}
        self._elsewhere: dict[tuple[int, str], int] = {}
        self._selves: dict[int, tuple[str, int]] = {}
        self._read: set[tuple[int, str]] = set()
        self._returned: dict[int, list[AccessPath]] = {}
        self._generators: set[int] = set()
        self._of_scope: dict[int, int] = {}

    def open(self, scope: ScopeFacts) -> int:
        """Add a scope; return its position."""
        self.scopes.append(scope)
        return len(self.scopes) - 1

    def define(self, definition: Definition) -> None:
        """Add a definition."""
        if definition.scope >= 0:
            self._of_scope[definition.scope] = len(self.definitions)
        self.definitions.append(definition)

    def returns(self, scope: int, paths: Iterable[AccessPath]) -> None:
        """Note what a function may return."""
        known = self._returned.setdefault(scope, [])
        known += [path for path in dict.fromkeys(paths) if path not in known]
        del known[MOST_ALTERNATIVES:]

    def generates(self, scope: int, paths: Iterable[AccessPath]) -> None:
        """Note that a function is a generator, and what it yields."""
        self._generators.add(scope)
        self.returns(scope, paths)

    def qualified(self, scope: int, name: str) -> str:
        """Return the dotted name of something that stands in a scope."""
        outer = self.scopes[scope].name
        return f"{outer}.{name}" if outer else name

    def bind(self, scope: int, name: str, path: AccessPath) -> None:
        """Note that a scope binds a name to what a path leads to."""
        scope = self._elsewhere.get((scope, name), scope)
        known = self.scopes[scope].bindings.setdefault(name, [])
        if path not in known:
            known.append(path if len(known) < MOST_ALTERNATIVES else UNKNOWN)

    def declare_elsewhere(self, scope: int, name: str, *, is_global: bool) -> None:
        """Note that a `global` or `nonlocal` name is not the scope's own."""
        owner = 0 if is_global else self._owner(self.scopes[scope].parent, name)
        self._elsewhere[scope, name] = owner if owner is not None else 0

    def is_elsewhere(self, scope: int, name: str) -> bool:
        """Return whether a scope declared a name `global` or `nonlocal`."""
        return (scope, name) in self._elsewhere

    def has_self(self, scope: int, name: str, class_scope: int) -> None:
        """Note that a name in a method stands for the object, or the class, itself."""
        self._selves[scope] = (name, self._of_scope[class_scope])

    def set_attribute(self, scope: int, name: str, attribute: str, bound: Bound) -> None:
        """Note a value given to `name.attribute`, if `name` is the object itself."""
        at = scope
        while at > 0:
            own, definition = self._selves.get(at, ("", -1))
            if own == name:
                self.definitions[definition].attributes.setdefault(attribute, []).append(bound)
                return
            if own or name in self.scopes[at].bindings:
                return
            at = self.scopes[at].parent

    def mention(self, mention: Mention) -> None:
        """Note a mention of an attribute, an import, a base: anything but a bare name."""
        self._mentions.append(mention)

    def name(
        self, name: str, use: Use, scope: int, at: Position, arguments: CallArguments | None = None
    ) -> None:
        """Note a bare name; whether it is more than a local variable turns out at the end."""
        self._names.append(_Name(name, use, scope, at, arguments))

    def string(self, text: str, at: Position) -> None:
        """Note a string that could be a name, or lead to one (`package.module:name`)."""
        match = WORD.fullmatch(text) if len(text) <= LONGEST_WORD else None
        if match is not None:
            self._strings.setdefault(match[1], []).append(at)

    def reads_everything(self, scope: int) -> None:
        """Note a call of `locals()`: every name of the scope is read."""
        self._read.update((scope, name) for name in self.scopes[scope].bindings)

    def augments(self, scope: int, name: str) -> None:
        """Note `name += value`: what a parameter refers to may be changed, and its caller sees that."""
        self._read.add((scope, name))

    def close(self) -> FileFacts:
        """Return the facts; mentions are in the order of the text."""
        for name in self._names:
            self._settle(name)
        self._mentions.sort(key=lambda m: (m.line, m.column, m.use))
        return FileFacts(
            self.scopes,
            [self._finished(definition) for definition in self.definitions],
            self._mentions,
            self._strings,
            self.exports,
        )

    def _settle(self, name: _Name) -> None:
        owner = self._owner(name.scope, name.name)
        if owner is None:
            if name.name in BUILTINS and STAR not in self.scopes[0].bindings:
                return
        elif self.scopes[owner].kind is ScopeKind.FUNCTION:
            if name.use is not Use.WRITE:
                self._read.add((owner, name.name))
            if not self._is_telling(owner, name):
                return
        path = named(name.name)
        self._mentions.append(Mention(path, name.use, name.scope, *name.at, name.arguments))

    def _is_telling(self, owner: int, name: _Name) -> bool:
        """Return whether a local name is an import or a function of its own, or a call of what it holds."""
        bound = self.scopes[owner].bindings[name.name]
        if any(path.kind in IMPORTED_OR_DEFINED for path in bound):
            return True
        return name.use is Use.CALL and any(path.kind not in OPAQUE for path in bound)

    def _owner(self, scope: int, name: str) -> int | None:
        """Return the scope that binds a name as seen from a scope; a class is seen from its body only."""
        at = scope
        while at >= 0:
            known = self._elsewhere.get((at, name))
            if known is not None:
                return known
            is_seen = at == scope or self.scopes[at].kind is not ScopeKind.CLASS
            if is_seen and name in self.scopes[at].bindings:
                return at
            at = self.scopes[at].parent
        return None

    def _finished(self, definition: Definition) -> Definition:
        if definition.kind not in (DefinitionKind.FUNCTION, DefinitionKind.METHOD):
            return definition
        parameters = [
            msgspec.structs.replace(p, read=(definition.scope, p.name) in self._read)
            for p in definition.parameters
        ]
        return msgspec.structs.replace(
            definition,
            parameters=parameters,
            returned=self._returned.get(definition.scope, []),
            generator=definition.scope in self._generators,
        )
