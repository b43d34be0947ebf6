"""The class hierarchy: bases, order of look-up, subclasses, members, and kinds of classes."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from esper_audit.source.facts.access_path import AccessPath
from esper_audit.source.facts.records import Definition, DefinitionKind, Parameter, ParameterKind
from esper_audit.source.index.values.value import Value, key, parts

if TYPE_CHECKING:
    from esper_audit.source.facts.module_facts import ModuleFacts


class ClassKind(enum.StrEnum):
    """The kind of a class, by its bases and decorators, inherited ones included."""

    PLAIN = "plain"
    DATACLASS = "dataclass"
    NAMED_TUPLE = "named-tuple"
    TYPED_DICT = "typed-dict"
    ENUM = "enum"
    PROTOCOL = "protocol"
    ABSTRACT = "abstract"
    MODEL = "model"


KIND_OF_BASE = {
    "NamedTuple": ClassKind.NAMED_TUPLE,
    "TypedDict": ClassKind.TYPED_DICT,
    "Enum": ClassKind.ENUM,
    "IntEnum": ClassKind.ENUM,
    "StrEnum": ClassKind.ENUM,
    "Flag": ClassKind.ENUM,
    "IntFlag": ClassKind.ENUM,
    "BaseModel": ClassKind.MODEL,
    "BaseSettings": ClassKind.MODEL,
    "Struct": ClassKind.MODEL,
}
DATACLASS_DECORATORS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "s"})
CLASS_VARIABLES = ("ClassVar", "typing.ClassVar")
LONGEST_ORDER = 64


class BaseResolver(Protocol):
    """What the class hierarchy needs of the resolver."""

    def modules_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that contain a word."""

    def defined(self, of: str) -> tuple[ModuleFacts, Definition]:
        """Return the file and the definition of a key that was found before."""

    def bases(self, of: str) -> list[Value]:
        """Return the classes that a class derives from, those outside as `external`."""

    def dotted_names(
        self, module: ModuleFacts, scope: int, paths: Iterable[AccessPath]
    ) -> list[str]:
        """Return the dotted names outside the tree that decorators refer to, else their last names."""


class ClassHierarchy:
    """The class hierarchy of the tree, computed on demand."""

    def __init__(self, resolver: BaseResolver) -> None:
        self._resolver = resolver
        self._orders: dict[str, tuple[list[str], frozenset[str]]] = {}
        self._directly: dict[str, list[str]] = {}
        self._subclasses: dict[str, list[str]] = {}
        self._overrides: dict[tuple[str, str], list[str]] = {}
        self._own: dict[str, frozenset[str]] = {}
        self._kinds: dict[str, ClassKind] = {}

    def order(self, of: str) -> list[str]:
        """Return a class and its bases in the tree, in the order of look-up."""
        return self._order(of)[0]

    def foreign_bases(self, of: str) -> frozenset[str]:
        """Return the dotted names of bases outside the tree, `?` for one that is not known."""
        return self._order(of)[1]

    def subclasses(self, of: str) -> list[str]:
        """Return every class of the tree that derives from a class, sorted."""
        if of not in self._subclasses:
            found: set[str] = set()
            pending = [of]
            while pending:
                fresh = set(self._directly_below(pending.pop())) - found - {of}
                found |= fresh
                pending += fresh
            self._subclasses[of] = sorted(found)
        return self._subclasses[of]

    def family(self, of: str) -> list[str]:
        """Return a class, its bases and its subclasses in the tree."""
        return [*self.order(of), *self.subclasses(of)]

    def member(self, of: str, name: str, *, after: bool = False) -> str | None:
        """Return the class in whose body or `self` a member is first found. `after` leaves out the class."""
        order = self.order(of)[1:] if after else self.order(of)
        return next((owner for owner in order if self.has(owner, name)), None)

    def has(self, of: str, name: str) -> bool:
        """Return whether a class itself, its bases aside, has a member."""
        if of not in self._own:
            module, definition = self._resolver.defined(of)
            bindings = module.facts.scopes[definition.scope].bindings
            self._own[of] = frozenset((*bindings, *definition.attributes))
        return name in self._own[of]

    def overrides(self, of: str, name: str) -> list[str]:
        """Return the subclasses that have a member of that name themselves."""
        question = (of, name)
        if question not in self._overrides:
            self._overrides[question] = [b for b in self.subclasses(of) if self.has(b, name)]
        return self._overrides[question]

    def kind(self, of: str) -> ClassKind:
        """Return what kind of class a class is."""
        if of not in self._kinds:
            self._kinds[of] = next(self._possible_kinds(of), ClassKind.PLAIN)
        return self._kinds[of]

    def fields(self, of: str) -> list[tuple[str, Definition]]:
        """Return the annotated fields of a class and its bases with their owners, bases first."""
        found: dict[str, tuple[str, Definition]] = {}
        for owner in reversed(self.order(of)):
            module, definition = self._resolver.defined(owner)
            for field in module.facts.definitions:
                if field.owner == definition.scope and _is_declared(field):
                    found[field.short] = (owner, field)
        return list(found.values())

    def constructor(self, of: str) -> str | None:
        """Return the key of the `__init__` (or `__new__`) that calling a class runs, if the tree has it."""
        for name in ("__init__", "__new__"):
            owner = self.member(of, name)
            if owner is not None:
                path, dotted = parts(owner)
                return key(path, f"{dotted}.{name}")
        return None

    def parameters(self, of: str) -> Sequence[Parameter] | None:
        """Return the parameters of a class's constructor, without `self`, or None if they are not known."""
        constructor = self.constructor(of)
        if constructor is not None:
            return self._resolver.defined(constructor)[1].parameters[1:]
        if self.kind(of) in (ClassKind.DATACLASS, ClassKind.NAMED_TUPLE, ClassKind.MODEL):
            return list(self._field_parameters(of))
        if self.kind(of) is ClassKind.TYPED_DICT:
            return list(self._field_parameters(of, keyword_only=True))
        return [] if not self.foreign_bases(of) else None

    def _field_parameters(self, of: str, *, keyword_only: bool = False) -> Iterator[Parameter]:
        kind = ParameterKind.KEYWORD_ONLY if keyword_only else ParameterKind.PLAIN
        for _, field in self.fields(of):
            default = field.literal or "..." if field.has_default else ""
            required = not field.has_default
            yield Parameter(field.short, kind, required, default, field.annotation, read=True)

    def _order(self, of: str) -> tuple[list[str], frozenset[str]]:
        if of not in self._orders:
            self._orders[of] = ([of], frozenset())  # a class that derives from itself ends here
            order, foreign = [of], set()
            for base in self._resolver.bases(of):
                if base.kind != "class":
                    foreign.add(base.name or "?")
                    continue
                above, theirs = self._order(base.name)
                order = [known for known in order if known not in above] + above
                foreign |= theirs
            self._orders[of] = (order[:LONGEST_ORDER], frozenset(foreign))
        return self._orders[of]

    def _directly_below(self, of: str) -> list[str]:
        if of not in self._directly:
            name = parts(of)[1].rpartition(".")[2]
            self._directly[of] = [
                key(module.path, definition.name)
                for module in self._resolver.modules_with(name)
                for definition in module.classes
                if self._derives(module, definition, of)
            ]
        return self._directly[of]

    def _derives(self, module: ModuleFacts, definition: Definition, of: str) -> bool:
        if not definition.bases:
            return False
        below = key(module.path, definition.name)
        return any(base.name == of for base in self._resolver.bases(below))

    def _possible_kinds(self, of: str) -> Iterator[ClassKind]:
        for base in sorted(self.foreign_bases(of)):
            if base.rpartition(".")[2] in KIND_OF_BASE:
                yield KIND_OF_BASE[base.rpartition(".")[2]]
        for owner in self.order(of):
            module, definition = self._resolver.defined(owner)
            names = self._resolver.dotted_names(module, definition.owner, definition.decorators)
            if any(name.rpartition(".")[2] in DATACLASS_DECORATORS for name in names):
                yield ClassKind.DATACLASS
        _, definition = self._resolver.defined(of)
        if any(base.is_alias and base.terminal.endswith("Protocol") for base in definition.bases):
            yield ClassKind.PROTOCOL
        if self._is_abstract(of, definition):
            yield ClassKind.ABSTRACT

    def _is_abstract(self, of: str, definition: Definition) -> bool:
        if any(base.terminal == "ABC" for base in definition.bases):
            return True
        if any(k.terminal.endswith("ABCMeta") for _, k in definition.keywords):
            return True
        module = self._resolver.defined(of)[0]
        return any(
            decorator.terminal.startswith("abstract")
            for method in module.facts.definitions
            if method.owner == definition.scope
            for decorator in method.decorators
        )


def _is_declared(field: Definition) -> bool:
    is_field = field.kind is DefinitionKind.FIELD and bool(field.annotation)
    return is_field and not field.annotation.startswith(CLASS_VARIABLES)
