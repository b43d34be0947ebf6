"""The reference table: every mention of the tree by the definition it refers to, or else by its name."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.access_path import CLASS, SELF, named
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import DefinitionKind, Mention, ScopeKind, Use
from esper_audit.source.index.find_references import CONSTRUCTORS
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.targets import ResolvedBy

OWN_OBJECT = frozenset({named("self"), named("cls"), named("super").called(), SELF, CLASS})
SCOPE_BY_LINE = -1  # the scope of a mention that a string spells: found by its line, on demand


class ResolvedMention(msgspec.Struct, frozen=True, gc=False):
    """A mention of a definition, `certain` unless only the names agree."""

    module: ModuleFacts
    mention: Mention
    certain: bool

    @property
    def use(self) -> Use:
        """What the mention does."""
        return self.mention.use

    @property
    def role(self) -> Role:
        """What the file around it is for."""
        return self.module.role

    @property
    def around(self) -> str:
        """The function or class around it, dotted in its file, empty for the module."""
        return self.module.symbol(self._scope)

    @property
    def running_function(self) -> str:
        """The innermost function around it, dotted in its file, empty where it runs with the module."""
        scopes = self.module.facts.scopes
        functions = (
            scopes[at].name
            for at in self.module.enclosing(self._scope)
            if scopes[at].kind is ScopeKind.FUNCTION
        )
        return next(functions, "")

    @property
    def _scope(self) -> int:
        """The innermost scope around it."""
        mention = self.mention
        return (
            self.module.innermost(mention.line) if mention.scope == SCOPE_BY_LINE else mention.scope
        )

    def is_inside(self, symbol: Symbol) -> bool:
        """Return whether it is located in the body of a symbol."""
        if self.module.path != symbol.path:
            return False
        return self.around == symbol.symbol or self.around.startswith(f"{symbol.symbol}.")


class Sharing(enum.Enum):
    """What a group of mentions has in common: the definition, or only its name."""

    DEFINITION = "definition"
    NAME = "name"
    MEMBER = "member"
    FOREIGN = "foreign"


class MentionGroup(NamedTuple):
    """Mentions that are uses of the same symbols: all of one `name`, or one definition.

    `of` is the key of the definition, or the class outside the tree whose objects have the name.
    """

    sharing: Sharing
    name: str
    of: str = ""


class ReferenceTable:
    """The mentions of every file, by the definition that they refer to, or by name where that is not known."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._by_key: dict[str, list[ResolvedMention]] = defaultdict(list)
        self._by_name: dict[str, list[ResolvedMention]] = defaultdict(list)
        self._on_foreign_objects: dict[str, list[ResolvedMention]] = defaultdict(list)
        self._members: dict[str, list[ResolvedMention]] = defaultdict(list)
        self._spelled: dict[str, list[ModuleFacts]] = defaultdict(list)
        self._made_outside: dict[str, dict[str, list[ResolvedMention]]] = {}
        for module in index.modules():
            self._add_module(module)

    def of(self, symbol: Symbol) -> Iterator[ResolvedMention]:
        """Yield the mentions of a symbol, those that only agree in name and strings included."""
        return self.of_key(symbol.key)

    def of_key(self, key: str) -> Iterator[ResolvedMention]:
        """Yield the mentions of what a key names, also of an attribute that is no symbol."""
        yield from self._by_key.get(key, ())
        yield from self._of_name(key.rpartition(":")[2].rpartition(".")[2])

    def _of_name(self, name: str) -> Iterator[ResolvedMention]:
        """Yield the mentions that only agree in name, strings included."""
        yield from self._by_name.get(name, ())
        for module in self._spelled.get(name, ()):
            for line, column in module.facts.strings[name]:
                spelled = Mention(named(name), Use.STRING, SCOPE_BY_LINE, line, column, None, True)
                yield ResolvedMention(module, spelled, certain=False)

    def certain(self, symbol: Symbol) -> list[ResolvedMention]:
        """Return the mentions that are known to mean a symbol."""
        return self._by_key.get(symbol.key, [])

    def possible_uses(self, symbol: Symbol) -> Iterator[ResolvedMention]:
        """Yield the uses of methods of that name on objects other than `self` that may be of the class.

        A caller of a method of another class may pass an object of this one, for only the name has to
        agree; so may a caller of a method of an object that a base outside the tree makes.
        """
        for group in self._member_groups(symbol):
            yield from self.in_group(group)

    def groups(self, symbol: Symbol) -> list[MentionGroup]:
        """Return the groups of the mentions that may be uses of a symbol.

        Many symbols share a group by name, so what goes by groups takes a mention once.
        """
        name = symbol.symbol.rpartition(".")[2]
        own = MentionGroup(Sharing.DEFINITION, name, symbol.key)
        of_method = self._member_groups(symbol) if symbol.kind is DefinitionKind.METHOD else []
        return [own, MentionGroup(Sharing.NAME, name), *of_method]

    def in_group(self, group: MentionGroup) -> Iterator[ResolvedMention]:
        """Yield the mentions of a group."""
        sharing, name, of = group
        if sharing is Sharing.DEFINITION:
            yield from self._by_key.get(of, ())
        elif sharing is Sharing.NAME:
            yield from self._of_name(name)
        elif sharing is Sharing.MEMBER:
            yield from self._members.get(name, ())
        else:
            yield from self._uses_by_maker(name).get(of, ())

    def _member_groups(self, symbol: Symbol) -> list[MentionGroup]:
        """Return the groups of the uses of methods of a name on objects that may be of the class of a method."""
        name = symbol.symbol.rpartition(".")[2]
        groups = [MentionGroup(Sharing.MEMBER, name)]
        foreign = self._index.resolver.hierarchy.foreign_bases(symbol.key.rpartition(".")[0])
        if name in self._on_foreign_objects:
            bases = sorted({base.rpartition(".")[2] for base in foreign})
            groups += [MentionGroup(Sharing.FOREIGN, name, base) for base in bases]
        return groups

    def _uses_by_maker(self, name: str) -> dict[str, list[ResolvedMention]]:
        """Return the uses of a name on objects made outside, by the last name of their class."""
        if name not in self._made_outside:
            found: dict[str, list[ResolvedMention]] = defaultdict(list)
            for hit in self._on_foreign_objects[name]:
                before = hit.mention.path.receiver
                values = self._index.resolver.values(hit.module, hit.mention.scope, before)
                for maker in {value.name.rpartition(".")[2] for value in values}:
                    found[maker].append(hit)
            self._made_outside[name] = dict(found)
        return self._made_outside[name]

    def of_owner(self, symbol: Symbol) -> Iterator[ResolvedMention]:
        """Yield the mentions of the class of a constructor, and of those that inherit it."""
        owner = symbol.key.rpartition(".")[0]
        if symbol.short in CONSTRUCTORS:
            for key in (owner, *self._index.resolver.hierarchy.subclasses(owner)):
                yield from self.of(self._index.of_key(key))

    def _add_module(self, module: ModuleFacts) -> None:
        for mention in module.facts.mentions:
            targets = self._index.target_resolver.targets(module, mention)
            if targets.keys:
                certain = ResolvedMention(module, mention, certain=True)
                for key in targets.keys:
                    self._by_key[key].append(certain)
            if targets.resolved_by is ResolvedBy.METHOD and targets.keys:
                if mention.path.receiver not in OWN_OBJECT:
                    self._members[mention.path.terminal].append(
                        ResolvedMention(module, mention, certain=False)
                    )
            elif targets.resolved_by is ResolvedBy.METHOD and not targets.open:
                self._on_foreign_objects[mention.path.terminal].append(
                    ResolvedMention(module, mention, certain=False)
                )
            if targets.open:
                name = mention.path.terminal
                self._by_name[name].append(ResolvedMention(module, mention, certain=False))
        for word in module.facts.strings:
            self._spelled[word].append(module)
        for name, line in (module.facts.exports or {}).items():
            self._add_export(module, Mention(named(name), Use.EXPORT, 0, line, 1))

    def _add_export(self, module: ModuleFacts, mention: Mention) -> None:
        for key in self._index.target_resolver.targets(module, mention).keys:
            self._by_key[key].append(ResolvedMention(module, mention, certain=True))
