"""The resolver of mentions: the definitions that a mention refers to, and how they were found."""

from __future__ import annotations

import enum

import msgspec

from esper_audit.source.facts.access_path import AccessPath, PathKind
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Mention, ScopeKind, Use
from esper_audit.source.index.resolver import Resolver
from esper_audit.source.index.values import known_libraries
from esper_audit.source.index.values.value import UNKNOWN, Value, Values, key, parts


class ResolvedBy(enum.StrEnum):
    """How a reference was resolved: through imports, as a member of a known class, by its name alone."""

    IMPORT = "import"
    METHOD = "method"
    NAME = "name"


class Targets(msgspec.Struct, frozen=True):
    """The keys of the definitions that a mention refers to.

    `open` marks a mention that may refer to others of its name, as its receiver is not known.
    """

    keys: frozenset[str]
    resolved_by: ResolvedBy
    open: bool


ALIASED = frozenset(
    {PathKind.NAME, PathKind.SUPER}
)  # heads that may lead to a definition by its name
NOWHERE = Targets(frozenset(), ResolvedBy.NAME, open=False)
OPEN = Targets(frozenset(), ResolvedBy.METHOD, open=True)


class TargetResolver:
    """Resolves mentions and caches the results of one file: queries go through a tree file by file."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._path = ""
        self._cache: dict[tuple[AccessPath, int, bool], Targets] = {}
        self._in_progress: set[tuple[str, str]] = set()

    def targets(self, module: ModuleFacts, mention: Mention) -> Targets:
        """Return what a mention refers to."""
        is_call = mention.use is Use.CALL
        question = (mention.path, mention.scope, is_call)
        if module.path != self._path:
            self._path, self._cache = module.path, {}
        if question not in self._cache:
            self._cache[question] = self._resolve(module, mention, is_call=is_call)
        return self._cache[question]

    def _resolve(self, module: ModuleFacts, mention: Mention, *, is_call: bool) -> Targets:
        path = mention.path
        if path.kind is PathKind.IMPORT:
            return self._imported(module, path.name)
        if path.is_attribute:
            targets = self._attribute(module, mention.scope, path)
        elif path.variable:
            targets = self._name(module, mention.scope, path.variable)
        else:
            targets = OPEN if path.steps else NOWHERE
        return self._with_callees(module, mention, targets) if is_call else targets

    def _imported(self, module: ModuleFacts, target: str) -> Targets:
        """Return what an import names, and everything that this is a re-export of."""
        found = self._resolver.module_names.resolve(target, module.path)
        if found is None:
            return NOWHERE
        path, rest = found
        if not rest:
            return Targets(frozenset({key(path, "")}), ResolvedBy.IMPORT, open=False)
        return self._of_module(path, rest[0]) if len(rest) == 1 else NOWHERE

    def _name(self, module: ModuleFacts, scope: int, name: str) -> Targets:
        bound = self._resolver.look_up(module, scope, name)
        if bound is None:
            return self._by_star(module, name)
        owner, paths = bound
        keys: set[str] = set()
        around = module.facts.scopes[owner]
        qualified = f"{around.name}.{name}" if around.name else name
        if around.kind is not ScopeKind.FUNCTION and qualified in module.definitions:
            keys.add(key(module.path, qualified))
        for path in paths:
            keys |= self._aliased_definitions(module, owner, path)
        return Targets(frozenset(keys), ResolvedBy.IMPORT, open=False)

    def _aliased_definitions(
        self, module: ModuleFacts, scope: int, path: AccessPath
    ) -> frozenset[str]:
        """Return the definitions of which a binding makes its name an alias."""
        if path.kind is PathKind.DEFINITION:
            return frozenset({key(module.path, path.name)})
        if path.kind is PathKind.IMPORT:
            return self._imported(module, path.name).keys
        if path.kind not in ALIASED or not path.is_alias:
            return frozenset()
        return _definition_keys(self._resolver.values(module, scope, path))

    def _by_star(self, module: ModuleFacts, name: str) -> Targets:
        stars = module.facts.scopes[0].bindings.get("*", ())
        keys: set[str] = set()
        for star in stars:
            found = self._resolver.module_names.resolve(star.name, module.path)
            if found is not None and not found[1]:
                keys |= self._of_module(found[0], name).keys
        resolved_by = ResolvedBy.IMPORT if keys else ResolvedBy.NAME
        return Targets(frozenset(keys), resolved_by, open=bool(stars) and not keys)

    def _of_module(self, path: str, name: str) -> Targets:
        """Return what a name of a module refers to, nothing for a circular import."""
        if (path, name) in self._in_progress:
            return NOWHERE
        self._in_progress.add((path, name))
        try:
            return self._member_of_module(path, name)
        finally:
            self._in_progress.discard((path, name))

    def _member_of_module(self, path: str, name: str) -> Targets:
        module = self._resolver.module(path)
        if module is None:
            return Targets(frozenset(), ResolvedBy.IMPORT, open=True)
        if name in module.facts.scopes[0].bindings:
            return self._name(module, 0, name)
        submodule = self._resolver.module_names.submodule(path, name)
        if submodule is not None:
            return Targets(frozenset({key(submodule, "")}), ResolvedBy.IMPORT, open=False)
        return self._by_star(module, name)

    def _attribute(self, module: ModuleFacts, scope: int, path: AccessPath) -> Targets:
        name = path.terminal
        values = self._resolver.values(module, scope, path.receiver)
        keys: set[str] = set()
        is_open = False
        for value in values:
            targets = self._of_value(value, name)
            keys |= targets.keys
            is_open |= targets.open
        of_modules = all(value.kind in ("module", "external") for value in values)
        return Targets(
            frozenset(keys), ResolvedBy.IMPORT if of_modules else ResolvedBy.METHOD, open=is_open
        )

    def _of_value(self, value: Value, name: str) -> Targets:
        """Return what an attribute of one value refers to."""
        if value.kind == "module":
            return self._of_module(value.name, name)
        if value.kind in ("instance", "class", "super"):
            return self._member(value, name)
        if value.kind == "object":
            return Targets(
                frozenset(),
                ResolvedBy.METHOD,
                open=not known_libraries.has_fixed_attributes(value.name),
            )
        return Targets(frozenset(), ResolvedBy.METHOD, open=value == UNKNOWN)

    def _member(self, value: Value, name: str) -> Targets:
        hierarchy = self._resolver.hierarchy
        owner = hierarchy.member(value.name, name, after=value.kind == "super")
        owners = set() if value.kind == "super" else set(hierarchy.overrides(value.name, name))
        if owner is not None:
            owners.add(owner)
        keys = frozenset(key(*_member_key(owner, name)) for owner in owners)
        if keys:
            return Targets(keys, ResolvedBy.METHOD, open=False)
        foreign = hierarchy.foreign_bases(value.name)
        is_theirs = name in known_libraries.MODULE_METHODS and known_libraries.is_module_class(
            foreign
        )
        is_foreign = is_theirs or (value.kind == "super" and bool(foreign))
        return Targets(frozenset(), ResolvedBy.METHOD, open=not is_foreign)

    def _with_callees(self, module: ModuleFacts, mention: Mention, targets: Targets) -> Targets:
        """Add what a call runs: the constructor of a class, `forward` of an object, a function under another name."""
        values = self._resolver.values(module, mention.scope, mention.path)
        keys = set(targets.keys)
        by_object = False
        for value in values:
            if value.kind in ("function", "class"):
                keys.add(value.name)
            if value.kind == "class":
                constructor = self._resolver.hierarchy.constructor(value.name)
                keys |= {constructor} if constructor else set()
            elif value.kind == "instance":
                callee = self._resolver.steps.callee(value)
                keys |= {callee} if callee else set()
                by_object = True
        is_open = targets.open and not (keys - targets.keys) if keys else targets.open
        resolved_by = (
            ResolvedBy.METHOD
            if by_object or (keys - targets.keys and not targets.keys)
            else targets.resolved_by
        )
        return Targets(frozenset(keys), resolved_by, open=is_open)


def _member_key(owner: str, name: str) -> tuple[str, str]:
    path, dotted = parts(owner)
    return path, f"{dotted}.{name}"


def _definition_keys(values: Values) -> frozenset[str]:
    return frozenset(value.name for value in values if value.kind in ("function", "class"))
