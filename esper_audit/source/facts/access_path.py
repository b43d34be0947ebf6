"""The type of an access path: how an expression reaches its value, as a head and the steps from it."""

from __future__ import annotations

import enum
import re
from functools import lru_cache

import msgspec

WORD = re.compile(r"[A-Za-z_]\w*")
LARGEST_POSITION = 2**63 - 1  # the largest integer that the cache can hold
MOST_CACHED = 10_000  # paths, whose text and words take about 3 MiB


class PathKind(enum.IntEnum):
    """What the head of a path is.

    `NAME` is looked up in the scope of the expression; `IMPORT` names what an import does, with
    leading dots where it is relative; `DEFINITION` a definition of the same file; `INSTANCE` a value
    of a type, with the annotation as its name; `CONTAINER` holds what the path `held` leads to; `SELF`
    is the object of a method, `CLASS` the class of a class method; `SUPER` the result of
    `super(C, self)`, with the path of C in `held`; `UNKNOWN` any value.
    """

    NAME = 0
    IMPORT = 1
    DEFINITION = 2
    INSTANCE = 3
    CONTAINER = 4
    SELF = 5
    CLASS = 6
    SUPER = 7
    UNKNOWN = 8


class StepKind(enum.IntEnum):
    """What a step takes of the value before it. `ITERATION` is what a loop over it binds."""

    ATTRIBUTE = 0
    CALL = 1
    ELEMENT = 2
    ITERATION = 3


class PathStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One step. An attribute has its name, an element its position where that is a constant."""

    kind: StepKind
    name: str = ""
    position: int | None = None

    def __str__(self) -> str:
        """Return the step as text: `.name`, `()`, `[]`, `[0]` or `[*]`."""
        if self.kind is StepKind.ATTRIBUTE:
            return f".{self.name}"
        if self.kind is StepKind.CALL:
            return "()"
        if self.kind is StepKind.ITERATION:
            return "[*]"
        return "[]" if self.position is None else f"[{self.position}]"


CALL = PathStep(StepKind.CALL)
ELEMENT = PathStep(StepKind.ELEMENT)
ITERATION = PathStep(StepKind.ITERATION)
NO_STEPS: tuple[PathStep, ...] = ()


class AccessPath(msgspec.Struct, frozen=True, array_like=True, gc=False, cache_hash=True):
    """A head (`kind`, `name`, and `held` for a container) and the steps from it.

    Imports and definitions have no steps.
    """

    kind: PathKind
    name: str = ""
    steps: tuple[PathStep, ...] = NO_STEPS
    held: AccessPath | None = None

    def __str__(self) -> str:
        """Return the path as text: `self.blocks[*].attn()`."""
        return _text(self)

    @property
    def terminal(self) -> str:
        """The last name of the path: `attn` of `self.blocks[0].attn()`. Without one it is no identifier."""
        for step in reversed(self.steps):
            if step.kind is StepKind.ATTRIBUTE:
                return step.name
        if self.kind in DOTTED:
            return self.name.rpartition(".")[2]
        if self.kind is PathKind.CONTAINER and self.held is not None:
            return self.held.terminal
        return str(self.head)

    @property
    def head(self) -> AccessPath:
        """The path without its steps."""
        return AccessPath(self.kind, self.name, NO_STEPS, self.held) if self.steps else self

    @property
    def receiver(self) -> AccessPath:
        """The path without its last step: `self.attn` of `self.attn.qkv`."""
        return AccessPath(self.kind, self.name, self.steps[:-1], self.held) if self.steps else self

    @property
    def is_attribute(self) -> bool:
        """Return whether the last step is to an attribute."""
        return bool(self.steps) and self.steps[-1].kind is StepKind.ATTRIBUTE

    @property
    def is_alias(self) -> bool:
        """Return whether what is bound to this path is another name of the path's last name."""
        return self.is_attribute or not (self.steps or self.kind is PathKind.CONTAINER)

    @property
    def variable(self) -> str:
        """The name that the path consists of, empty if it is anything else."""
        return self.name if self.kind is PathKind.NAME and not self.steps else ""

    @property
    def root(self) -> str:
        """The name that the path starts at, empty if it starts at anything else."""
        return self.name if self.kind is PathKind.NAME else ""

    @property
    def depth(self) -> int:
        """The number of steps to attributes."""
        return sum(step.kind is StepKind.ATTRIBUTE for step in self.steps)

    def attribute(self, name: str) -> AccessPath:
        """Return the path of an attribute of this one."""
        return self.extended((PathStep(StepKind.ATTRIBUTE, name),))

    def called(self) -> AccessPath:
        """Return the path of what a call of this one returns."""
        return self.extended((CALL,))

    def element(self, position: int) -> AccessPath:
        """Return the path of the element at a position. That of an unknown value is unknown."""
        if self == UNKNOWN:
            return UNKNOWN
        return self.extended((PathStep(StepKind.ELEMENT, "", position),))

    def iterated(self) -> AccessPath:
        """Return the path of what a loop over this one binds. That of an unknown value is unknown."""
        if self == UNKNOWN:
            return UNKNOWN
        if self.kind is PathKind.CONTAINER and self.held is not None and not self.steps:
            return self.held
        return self.extended((ITERATION,))

    def extended(self, steps: tuple[PathStep, ...]) -> AccessPath:
        """Return the path with further steps."""
        return AccessPath(self.kind, self.name, self.steps + steps, self.held)

    def before(self, kind: StepKind) -> AccessPath:
        """Return the path up to its first step of a kind."""
        kinds = [step.kind for step in self.steps]
        if kind not in kinds:
            return self
        return AccessPath(self.kind, self.name, self.steps[: kinds.index(kind)], self.held)


UNKNOWN = AccessPath(PathKind.UNKNOWN)
SELF = AccessPath(PathKind.SELF)
CLASS = AccessPath(PathKind.CLASS)
DOTTED = frozenset({PathKind.NAME, PathKind.IMPORT, PathKind.DEFINITION, PathKind.INSTANCE})
HEAD_TEXT = {
    PathKind.NAME: "{0}",
    PathKind.IMPORT: "@{0}",
    PathKind.DEFINITION: "!{0}",
    PathKind.INSTANCE: "<{0}>",
    PathKind.CONTAINER: "[{1}]",
    PathKind.SELF: "$self",
    PathKind.CLASS: "$class",
    PathKind.SUPER: "super:{1};",
    PathKind.UNKNOWN: "?",
}


def named(name: str) -> AccessPath:
    """Return the path of a name."""
    return AccessPath(PathKind.NAME, name)


def imported_path(target: str) -> AccessPath:
    """Return the path of what an import names."""
    return AccessPath(PathKind.IMPORT, target)


def defined_path(name: str) -> AccessPath:
    """Return the path of a definition of the same file."""
    return AccessPath(PathKind.DEFINITION, name)


def instance(annotation: str) -> AccessPath:
    """Return the path of a value of an annotated type, unknown without an annotation."""
    return AccessPath(PathKind.INSTANCE, annotation) if annotation else UNKNOWN


def container(held: AccessPath) -> AccessPath:
    """Return the path of a container of what another path leads to."""
    return AccessPath(PathKind.CONTAINER, "", NO_STEPS, held)


@lru_cache(MOST_CACHED)
def _text(path: AccessPath) -> str:
    return HEAD_TEXT[path.kind].format(path.name, path.held) + "".join(map(str, path.steps))


@lru_cache(MOST_CACHED)
def words(path: AccessPath) -> frozenset[str]:
    """Return every name in a path."""
    return frozenset(WORD.findall(str(path)))


NONE = instance("None")
