"""The resolver of one step along an access path: an attribute, a call or an element of a value."""

from __future__ import annotations

from typing import Protocol

from esper_audit.source.facts.access_path import ITERATION, AccessPath, PathStep, StepKind
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Definition
from esper_audit.source.index.class_hierarchy import ClassHierarchy, ClassKind
from esper_audit.source.index.values import known_libraries
from esper_audit.source.index.values.value import ANYTHING, NOTHING, Value, Values, key, only
from esper_audit.source.modules.module_names import ModuleNames

CALL_METHODS = ("__call__", "forward")
ENTERED = frozenset({"__enter__", "__aenter__"})
RETURN_ELEMENT = frozenset({"get", "pop", "popleft", "popitem", "setdefault", "__getitem__"})
RETURN_CONTAINER = frozenset({"values", "copy", "keys", "union", "__iter__"})


class MemberResolver(Protocol):
    """What a step needs of the resolver."""

    def module_member(self, path: str, name: str) -> Values:
        """Return what a name means in a module."""

    def returned(self, of: str, itself: Values) -> Values:
        """Return what a call of a function returns."""

    def defined(self, of: str) -> tuple[ModuleFacts, Definition]:
        """Return the file and the definition of a key that was found before."""

    def is_property(self, definition: Definition) -> bool:
        """Return whether reading a method as an attribute calls it."""

    def values(self, module: ModuleFacts, scope: int, path: AccessPath) -> Values:
        """Return what a path leads to as seen from a scope."""


class StepResolver:
    """Resolves each kind of step on each kind of value."""

    def __init__(
        self, resolver: MemberResolver, hierarchy: ClassHierarchy, names: ModuleNames
    ) -> None:
        self._resolver = resolver
        self._hierarchy = hierarchy
        self._module_names = names

    def take(self, value: Value, step: PathStep) -> Values:
        """Return what a step from a value leads to."""
        if value.kind == "unknown":
            return ANYTHING
        if step.kind is StepKind.CALL:
            return self._called(value)
        if step.kind is StepKind.ATTRIBUTE:
            return self.attribute(value, step.name)
        return self._element(value, step)

    def attribute(self, value: Value, name: str) -> Values:
        """Return what an attribute of a value is."""
        kind = value.kind
        if kind == "module":
            return self._resolver.module_member(value.name, name)
        if kind == "external":
            return self._of_external(value.name, name)
        if kind == "object":
            return known_libraries.object_part(value.name)
        if kind in ("instance", "class", "super"):
            return self._member(value, name)
        if kind in ("container", "mapping"):
            return self._of_container(value, name)
        return ANYTHING

    def callee(self, value: Value) -> str | None:
        """Return the key of the method that runs when an object is called (`forward` for a module)."""
        hierarchy = self._hierarchy
        found = ((name, hierarchy.member(value.name, name)) for name in CALL_METHODS)
        keys = (f"{owner}.{name}" for name, owner in found if owner is not None)
        return next(keys, None)

    def _called(self, value: Value) -> Values:
        if value.kind == "class":
            return only(Value("instance", value.name))
        if value.kind == "function":
            return self._resolver.returned(value.name, value.parts[0] if value.parts else NOTHING)
        if value.kind == "instance":
            return self._called_instance(value)
        if value.kind == "external":
            return known_libraries.call_result(value.name)
        if value.kind == "object":
            return known_libraries.object_part(value.name)
        if value.kind == "returns":
            return value.parts[0]
        return only(value) if value.kind == "super" else ANYTHING

    def _called_instance(self, value: Value) -> Values:
        """Follow `forward` as an attribute: a class may bind it to another of its methods."""
        callee = self.callee(value)
        return self._result(value, callee.rpartition(".")[2]) if callee is not None else ANYTHING

    def _result(self, value: Value, name: str) -> Values:
        """Return what a call of an object's member returns."""
        return NOTHING.union(*(self._called(one) for one in self._member(value, name)))

    def _element(self, value: Value, step: PathStep) -> Values:
        if value.kind == "container":
            return value.parts[0]
        if value.kind == "mapping":
            return value.parts[0] if step.kind is StepKind.ITERATION else value.parts[1]
        if value.kind == "tuple":
            if step.position is not None and step.position < len(value.parts):
                return value.parts[step.position]
            return NOTHING.union(*value.parts)
        if value.kind == "object":
            return known_libraries.object_part(value.name)
        if value.kind == "instance":
            return self._element_of_instance(value, step)
        return only(value) if value.kind == "class" else ANYTHING

    def _element_of_instance(self, value: Value, step: PathStep) -> Values:
        name = "__iter__" if step.kind is StepKind.ITERATION else "__getitem__"
        if self._hierarchy.member(value.name, name) is None:
            return ANYTHING
        given = self._result(value, name)
        if name == "__getitem__":
            return given
        return NOTHING.union(*(self._next_of(one) for one in given)) or ANYTHING

    def _next_of(self, iterator: Value) -> Values:
        """Return the elements of an iterator, which may be an object of a class of the tree."""
        if iterator.kind != "instance":
            return self._element(iterator, ITERATION)
        has_next = self._hierarchy.member(iterator.name, "__next__") is not None
        return self._result(iterator, "__next__") if has_next else ANYTHING

    def _of_external(self, outside: str, name: str) -> Values:
        dotted = f"{outside}.{name}"
        found = self._module_names.find(dotted, "")
        return only(Value("module", found) if found else Value("external", dotted))

    def _of_container(self, value: Value, name: str) -> Values:
        held = value.parts[-1]
        if name in ENTERED or name in RETURN_ELEMENT:
            return only(Value("returns", parts=(held,)))
        if name == "items" and value.kind == "mapping":
            pair = Value("tuple", parts=value.parts)
            return only(Value("returns", parts=(only(Value("container", parts=(only(pair),))),)))
        if name in RETURN_CONTAINER:
            inside = value.parts[0] if name == "keys" else held
            result = value if name == "copy" else Value("container", parts=(inside,))
            return only(Value("returns", parts=(only(result),)))
        return only(Value("object", f"builtins.list.{name}"))

    def _member(self, value: Value, name: str) -> Values:
        if name == "__class__":
            return only(Value("class", value.name))
        owner = self._hierarchy.member(value.name, name, after=value.kind == "super")
        if owner is not None:
            return self._owned(owner, name, value)
        foreign = self._hierarchy.foreign_bases(value.name)
        if name in known_libraries.RETURNS_ITSELF and known_libraries.is_module_class(foreign):
            return only(Value("returns", parts=(only(value),)))
        if value.kind == "super":
            return ANYTHING
        below = self._hierarchy.overrides(value.name, name)
        return NOTHING.union(*(self._owned(owner, name, value) for owner in below)) or ANYTHING

    def _owned(self, owner: str, name: str, value: Value) -> Values:
        """Return what a member is: a method bound to its object, a property's result, a field's type."""
        resolver = self._resolver
        module, definition = resolver.defined(owner)
        bound = module.facts.scopes[definition.scope].bindings.get(name, ())
        method = module.definitions.get(f"{definition.name}.{name}")
        if method is not None and method.kind == "method":
            itself = only(Value("instance", value.name))
            of = key(module.path, method.name)
            if resolver.is_property(method):
                return resolver.returned(of, itself)
            return only(Value("function", of, (itself,)))
        if bound and self._hierarchy.kind(owner) is ClassKind.ENUM:
            return only(Value("instance", owner))
        paths = [(definition.scope, path) for path in bound]
        declared = method is not None and method.annotation
        if not declared:
            paths += [(b.scope, b.path) for b in definition.attributes.get(name, ())]
        return NOTHING.union(*(resolver.values(module, scope, path) for scope, path in paths))
