"""From how an expression is written to what it can be: imports, annotations, constructors, `self`, returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from esper_audit.source.facts.access_path import NONE, AccessPath, PathKind, StepKind, named
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.module_names import Modules
from esper_audit.source.facts.records import Definition
from esper_audit.source.index.access_steps import StepResolver
from esper_audit.source.index.annotations import annotated_values
from esper_audit.source.index.class_hierarchy import ClassHierarchy
from esper_audit.source.index.values import ANYTHING, NOTHING, Value, Values, key, only, parts
from esper_audit.source.syntax.names import BUILTINS

DEEPEST = 40
MOST_QUESTIONS = 4000
PROPERTIES = ("property", "cached_property", "lazy_property", "abstractproperty")


class FactsProvider(Protocol):
    """Where the files of the tree come from."""

    def unit(self, path: str) -> ModuleFacts | None:
        """Return a file's facts; None if it could not be read."""

    def units_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that hold a word."""


class Resolver:
    """Answers what a path leads to; every answer is kept."""

    def __init__(self, units: FactsProvider, modules: Modules) -> None:
        self._units = units
        self.modules = modules
        self.kin = ClassHierarchy(self)
        self.steps = StepResolver(self, self.kin, modules)
        self._known: dict[tuple[str, int, AccessPath], Values] = {}
        self._asked: dict[tuple[str, int, AccessPath], int] = {}
        self._shallowest_cut = DEEPEST
        self._questions = 0

    def units_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that hold a word."""
        return self._units.units_with(word)

    def unit(self, path: str) -> ModuleFacts | None:
        """Return a file's facts; None if it could not be read."""
        return self._units.unit(path)

    def defined(self, of: str) -> tuple[ModuleFacts, Definition]:
        """Return the file and the definition of a key that was found before."""
        path, name = parts(of)
        unit = self._units.unit(path)
        assert unit is not None, of
        return unit, unit.definitions[name]

    def values(self, unit: ModuleFacts, scope: int, path: AccessPath) -> Values:
        """Return what a path leads to as seen from a scope; never empty-handed: at worst anything.

        What is asked for while it is being worked out (`x = x.next`) adds nothing; answers that such a
        cut may have thinned out are not kept, so that no answer depends on what was asked before.
        """
        question = (unit.path, scope, path)
        known = self._known.get(question)
        if known is not None:
            return known
        depth = len(self._asked)
        if question in self._asked:
            self._shallowest_cut = min(self._shallowest_cut, self._asked[question])
            return NOTHING
        if depth == 0:
            self._questions, self._shallowest_cut = 0, DEEPEST
        self._questions += 1
        if depth >= DEEPEST or self._questions > MOST_QUESTIONS:
            return ANYTHING
        self._asked[question] = depth
        try:
            found = self._worked_out(unit, scope, path)
        finally:
            del self._asked[question]
        if depth == 0:
            found = found or (NOTHING if path == NONE else ANYTHING)
        if depth <= self._shallowest_cut:
            self._known[question] = found
            self._shallowest_cut = DEEPEST
        return found

    def bases(self, of: str) -> list[Value]:
        """Return the classes that a class derives from, those outside as `external`."""
        unit, definition = self.defined(of)
        found: list[Value] = []
        for base in definition.bases:
            values = self.values(unit, definition.owner, base) - {Value("class", of)}
            classes = sorted(v for v in values if v.kind in ("class", "external"))
            found += classes or [Value("unknown", "?")]
        return found

    def meant(self, unit: ModuleFacts, scope: int, paths: Iterable[AccessPath]) -> list[str]:
        """Return the dotted names outside the tree, else the words, that decorators stand for; calls left out."""
        found = []
        for path in paths:
            plain = path.before(StepKind.CALL)
            outside = sorted(
                v.name for v in self.values(unit, scope, plain) if v.kind == "external"
            )
            found += outside or [plain.terminal]
        return found

    def look_up(
        self, unit: ModuleFacts, scope: int, name: str
    ) -> tuple[int, list[AccessPath]] | None:
        """Return the scope that binds a name as seen from another, and what it is bound to."""
        for around in unit.enclosing(scope):
            binding = unit.facts.scopes[around]
            if (around == scope or binding.kind != "class") and name in binding.bindings:
                return around, binding.bindings[name]
        return None

    def module_member(self, path: str, name: str) -> Values:
        """Return what a name means in a module, star imports and submodules included."""
        unit = self.unit(path)
        if unit is None:
            return ANYTHING
        paths = unit.facts.scopes[0].bindings.get(name)
        if paths is not None:
            return NOTHING.union(*(self.values(unit, 0, path) for path in paths))
        submodule = self.modules.submodule(path, name)
        if submodule is not None:
            return only(Value("module", submodule))
        return self._by_star(unit, name)

    def returned(self, of: str, itself: Values) -> Values:
        """Return what calling a function gives; `itself` is the object for a method."""
        unit, definition = self.defined(of)
        if definition.annotation:
            return self.annotated(unit, definition.owner, definition.annotation, itself)
        if not definition.returned:
            return ANYTHING if definition.stub or definition.generator else NOTHING
        found = NOTHING.union(
            *(self.values(unit, definition.scope, path) for path in definition.returned)
        )
        own = frozenset(v for v in found if v.kind == "instance")
        if itself and own & self._objects_around(unit, definition):
            found = (found - own) | itself
        return only(Value("container", parts=(found,))) if definition.generator else found

    def annotated(
        self, unit: ModuleFacts, scope: int, text: str, itself: Values = ANYTHING
    ) -> Values:
        """Return the values of an annotation that stands in a scope."""
        return annotated_values(text, lambda path: self.values(unit, scope, path), itself)

    def is_property(self, definition: Definition) -> bool:
        """Return whether reading a method as an attribute calls it."""
        return any(d.is_alias and d.terminal in PROPERTIES for d in definition.decorators)

    def _worked_out(self, unit: ModuleFacts, scope: int, path: AccessPath) -> Values:
        values = self._head(unit, scope, path)
        for step in path.steps:
            values = NOTHING.union(*(self.steps.take(value, step) for value in values))
        return values

    def _head(self, unit: ModuleFacts, scope: int, path: AccessPath) -> Values:
        kind, held = path.kind, path.held
        if kind is PathKind.NAME:
            return self._name(unit, scope, path.name)
        if kind is PathKind.INSTANCE:
            return self.annotated(unit, scope, path.name, self._self(unit, scope))
        if kind is PathKind.IMPORT:
            return self._imported(unit, path.name)
        if kind is PathKind.DEFINITION:
            return only(self._definition(unit, path.name))
        if kind is PathKind.SELF:
            return self._self(unit, scope)
        if kind is PathKind.CLASS:
            return frozenset(map(_class_of, self._self(unit, scope)))
        if kind is PathKind.CONTAINER and held is not None:
            return only(Value("container", parts=(self.values(unit, scope, held),)))
        if kind is PathKind.SUPER and held is not None:
            classes = (v.name for v in self.values(unit, scope, held) if v.kind == "class")
            return frozenset(Value("super", name) for name in classes) or ANYTHING
        return ANYTHING

    def _name(self, unit: ModuleFacts, scope: int, name: str) -> Values:
        bound = self.look_up(unit, scope, name)
        if bound is not None:
            owner, paths = bound
            return NOTHING.union(*(self.values(unit, owner, path) for path in paths))
        if name == "super":
            around = unit.class_around(scope)
            return only(Value("super", key(unit.path, around.name))) if around else ANYTHING
        if name in BUILTINS:
            return only(Value("external", f"builtins.{name}"))
        return self._by_star(unit, name)

    def _definition(self, unit: ModuleFacts, name: str) -> Value:
        definition = unit.definitions[name]
        kind = "class" if definition.kind == "class" else "function"
        return Value(kind, key(unit.path, name))  # type: ignore[arg-type]  # one of the two

    def _imported(self, unit: ModuleFacts, target: str) -> Values:
        found = self.modules.resolve(target, unit.path)
        if found is None:
            return ANYTHING if target.startswith(".") else only(Value("external", target))
        path, rest = found
        values = only(Value("module", path))
        for name in rest:
            values = NOTHING.union(*(self.steps.attribute(value, name) for value in values))
        return values

    def _by_star(self, unit: ModuleFacts, name: str) -> Values:
        """Return what a star import may bring; a name that begins with an underscore it does not."""
        found: set[Value] = set()
        for star in unit.facts.scopes[0].bindings.get("*", ()):
            resolved = self.modules.resolve(star.name, unit.path)
            if resolved is not None and not resolved[1]:
                found |= self.values_of_star(resolved[0], name)
        return frozenset(found) or ANYTHING

    def values_of_star(self, path: str, name: str) -> Values:
        """Return what `from module import *` binds a name to; nothing if it does not."""
        unit = self.unit(path)
        if unit is None or name.startswith("_"):
            return NOTHING
        if name in unit.facts.scopes[0].bindings:
            return self.values(unit, 0, named(name))
        stars = unit.facts.scopes[0].bindings.get("*", ())
        targets = (self.modules.resolve(star.name, unit.path) for star in stars)
        below = [t[0] for t in targets if t is not None and not t[1] and t[0] != path]
        return NOTHING.union(*(self.values_of_star(module, name) for module in below))

    def _self(self, unit: ModuleFacts, scope: int) -> Values:
        around = unit.class_around(scope)
        return only(Value("instance", key(unit.path, around.name))) if around else ANYTHING

    def _objects_around(self, unit: ModuleFacts, definition: Definition) -> Values:
        return self._self(unit, definition.owner)


def _class_of(value: Value) -> Value:
    return Value("class", value.name) if value.kind == "instance" else value
