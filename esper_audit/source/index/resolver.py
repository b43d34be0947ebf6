"""The resolver of access paths: through imports, annotations, constructors, `self` and returns, to values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from esper_audit.source.facts.access_path import NONE, AccessPath, PathKind, StepKind, named
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Definition, Paths
from esper_audit.source.index.access_steps import StepResolver
from esper_audit.source.index.class_hierarchy import ClassHierarchy
from esper_audit.source.index.values.annotations import annotated_values
from esper_audit.source.index.values.value import ANYTHING, NOTHING, Value, Values, key, only, parts
from esper_audit.source.modules.module_names import ModuleNames
from esper_audit.source.syntax.names import BUILTINS

DEEPEST = 40
MOST_QUESTIONS = 4000
MOST_CACHED = 200_000  # answers, about 60 MiB: most are asked again soon or never
PROPERTIES = ("property", "cached_property", "lazy_property", "abstractproperty")


class FactsProvider(Protocol):
    """The source of the tree's facts."""

    def module(self, path: str) -> ModuleFacts | None:
        """Return a file's facts, or None if it could not be read."""

    def modules_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that contain a word."""


class Resolver:
    """Resolves access paths to values and caches each result."""

    def __init__(self, facts: FactsProvider, module_names: ModuleNames) -> None:
        self._facts = facts
        self.module_names = module_names
        self.hierarchy = ClassHierarchy(self)
        self.steps = StepResolver(self, self.hierarchy, module_names)
        self._cache: dict[tuple[str, int, AccessPath], Values] = {}
        self._distinct: dict[Values, Values] = {}  # many questions have equal answers: one is held
        self._in_progress: dict[tuple[str, int, AccessPath], int] = {}
        self._shallowest_cut = DEEPEST
        self._questions = 0

    def modules_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that contain a word."""
        return self._facts.modules_with(word)

    def module(self, path: str) -> ModuleFacts | None:
        """Return a file's facts, or None if it could not be read."""
        return self._facts.module(path)

    def defined(self, of: str) -> tuple[ModuleFacts, Definition]:
        """Return the file and the definition of a key that was found before."""
        path, name = parts(of)
        module = self._facts.module(path)
        assert module is not None, of
        return module, module.definitions[name]

    def values(self, module: ModuleFacts, scope: int, path: AccessPath) -> Values:
        """Return what a path leads to as seen from a scope, `ANYTHING` if that is not known.

        A path that depends on itself (`x = x.next`) adds nothing there; results that such a cut may
        have reduced are not cached, so that no result depends on earlier queries.
        """
        question = (module.path, scope, path)
        known = self._cache.get(question)
        if known is not None:
            return known
        depth = len(self._in_progress)
        if question in self._in_progress:
            self._shallowest_cut = min(self._shallowest_cut, self._in_progress[question])
            return NOTHING
        if depth == 0:
            self._questions, self._shallowest_cut = 0, DEEPEST
        self._questions += 1
        if depth >= DEEPEST or self._questions > MOST_QUESTIONS:
            return ANYTHING
        self._in_progress[question] = depth
        try:
            found = self._resolve(module, scope, path)
        finally:
            del self._in_progress[question]
        if depth == 0:
            found = found or (NOTHING if path == NONE else ANYTHING)
        if depth <= self._shallowest_cut:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
                self._distinct.clear()
            found = self._distinct.setdefault(found, found)
            self._cache[question] = found
            self._shallowest_cut = DEEPEST
        return found

    def bases(self, of: str) -> list[Value]:
        """Return the classes that a class derives from, those outside as `external`."""
        module, definition = self.defined(of)
        found: list[Value] = []
        for base in definition.bases:
            values = self.values(module, definition.owner, base) - {Value("class", of)}
            classes = sorted(v for v in values if v.kind in ("class", "external"))
            found += classes or [Value("unknown", "?")]
        return found

    def dotted_names(
        self, module: ModuleFacts, scope: int, paths: Iterable[AccessPath]
    ) -> list[str]:
        """Return the dotted names outside the tree that decorators refer to, else their last names, without calls."""
        found = []
        for path in paths:
            plain = path.before(StepKind.CALL)
            outside = sorted(
                v.name for v in self.values(module, scope, plain) if v.kind == "external"
            )
            found += outside or [plain.terminal]
        return found

    def look_up(self, module: ModuleFacts, scope: int, name: str) -> tuple[int, Paths] | None:
        """Return the scope that binds a name as seen from another, and what it is bound to."""
        for around in module.enclosing(scope):
            binding = module.facts.scopes[around]
            if (around == scope or binding.kind != "class") and name in binding.bindings:
                return around, binding.bindings[name]
        return None

    def module_member(self, path: str, name: str) -> Values:
        """Return what a name means in a module, star imports and submodules included."""
        module = self.module(path)
        if module is None:
            return ANYTHING
        paths = module.facts.scopes[0].bindings.get(name)
        if paths is not None:
            return NOTHING.union(*(self.values(module, 0, path) for path in paths))
        submodule = self.module_names.submodule(path, name)
        if submodule is not None:
            return only(Value("module", submodule))
        return self._by_star(module, name)

    def returned(self, of: str, itself: Values) -> Values:
        """Return what a call of a function returns. `itself` is the object of a method."""
        module, definition = self.defined(of)
        if definition.annotation:
            return self.annotated(module, definition.owner, definition.annotation, itself)
        if not definition.returned:
            return ANYTHING if definition.stub or definition.generator else NOTHING
        found = NOTHING.union(
            *(self.values(module, definition.scope, path) for path in definition.returned)
        )
        own = frozenset(v for v in found if v.kind == "instance")
        if itself and own & self._objects_around(module, definition):
            found = (found - own) | itself
        return only(Value("container", parts=(found,))) if definition.generator else found

    def annotated(
        self, module: ModuleFacts, scope: int, text: str, itself: Values = ANYTHING
    ) -> Values:
        """Return the values of an annotation in a scope."""
        return annotated_values(text, lambda path: self.values(module, scope, path), itself)

    def is_property(self, definition: Definition) -> bool:
        """Return whether reading a method as an attribute calls it."""
        return any(d.is_alias and d.terminal in PROPERTIES for d in definition.decorators)

    def _resolve(self, module: ModuleFacts, scope: int, path: AccessPath) -> Values:
        values = self._head(module, scope, path)
        for step in path.steps:
            values = NOTHING.union(*(self.steps.take(value, step) for value in values))
        return values

    def _head(self, module: ModuleFacts, scope: int, path: AccessPath) -> Values:
        kind, held = path.kind, path.held
        if kind is PathKind.NAME:
            return self._name(module, scope, path.name)
        if kind is PathKind.INSTANCE:
            return self.annotated(module, scope, path.name, self._self(module, scope))
        if kind is PathKind.IMPORT:
            return self._imported(module, path.name)
        if kind is PathKind.DEFINITION:
            return only(self._definition(module, path.name))
        if kind is PathKind.SELF:
            return self._self(module, scope)
        if kind is PathKind.CLASS:
            return frozenset(map(_class_of, self._self(module, scope)))
        if kind is PathKind.CONTAINER and held is not None:
            return only(Value("container", parts=(self.values(module, scope, held),)))
        if kind is PathKind.SUPER and held is not None:
            classes = (v.name for v in self.values(module, scope, held) if v.kind == "class")
            return frozenset(Value("super", name) for name in classes) or ANYTHING
        return ANYTHING

    def _name(self, module: ModuleFacts, scope: int, name: str) -> Values:
        bound = self.look_up(module, scope, name)
        if bound is not None:
            owner, paths = bound
            return NOTHING.union(*(self.values(module, owner, path) for path in paths))
        if name == "super":
            around = module.class_around(scope)
            return only(Value("super", key(module.path, around.name))) if around else ANYTHING
        if name in BUILTINS:
            return only(Value("external", f"builtins.{name}"))
        return self._by_star(module, name)

    def _definition(self, module: ModuleFacts, name: str) -> Value:
        definition = module.definitions[name]
        kind = "class" if definition.kind == "class" else "function"
        return Value(kind, key(module.path, name))  # type: ignore[arg-type]  # one of the two

    def _imported(self, module: ModuleFacts, target: str) -> Values:
        found = self.module_names.resolve(target, module.path)
        if found is None:
            return ANYTHING if target.startswith(".") else only(Value("external", target))
        path, rest = found
        values = only(Value("module", path))
        for name in rest:
            values = NOTHING.union(*(self.steps.attribute(value, name) for value in values))
        return values

    def _by_star(self, module: ModuleFacts, name: str) -> Values:
        """Return what a star import may bind a name to, nothing for a private name."""
        found: set[Value] = set()
        for star in module.facts.scopes[0].bindings.get("*", ()):
            resolved = self.module_names.resolve(star.name, module.path)
            if resolved is not None and not resolved[1]:
                found |= self.values_of_star(resolved[0], name)
        return frozenset(found) or ANYTHING

    def values_of_star(self, path: str, name: str) -> Values:
        """Return what `from module import *` binds a name to, nothing if it does not."""
        module = self.module(path)
        if module is None or name.startswith("_"):
            return NOTHING
        if name in module.facts.scopes[0].bindings:
            return self.values(module, 0, named(name))
        stars = module.facts.scopes[0].bindings.get("*", ())
        targets = (self.module_names.resolve(star.name, module.path) for star in stars)
        below = [t[0] for t in targets if t is not None and not t[1] and t[0] != path]
        return NOTHING.union(*(self.values_of_star(file, name) for file in below))

    def _self(self, module: ModuleFacts, scope: int) -> Values:
        around = module.class_around(scope)
        return only(Value("instance", key(module.path, around.name))) if around else ANYTHING

    def _objects_around(self, module: ModuleFacts, definition: Definition) -> Values:
        return self._self(module, definition.owner)


def _class_of(value: Value) -> Value:
    return Value("class", value.name) if value.kind == "instance" else value
