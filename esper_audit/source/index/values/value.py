"""The values of an expression: a module, a class, an object, a function, a container, or anything."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind = Literal[
    "module", "class", "instance", "function", "super", "container", "mapping", "tuple", "returns",
    "external", "object", "unknown",
]  # fmt: skip


class Value(NamedTuple):
    """One possibility.

    `module` names a file, `class`, `instance`, `function` and `super` a definition of the project
    (`path:Class.method`), `external` a name outside it and `object` something that such a name made
    or holds. `container`, `mapping` and `tuple` have what they hold in `parts`, `returns` what
    a call of it returns; a bound method has its object there.
    """

    kind: Kind
    name: str = ""
    parts: tuple[frozenset[Value], ...] = ()


Values: TypeAlias = frozenset[Value]
UNKNOWN = Value("unknown")
ANYTHING: Values = frozenset({UNKNOWN})
NOTHING: Values = frozenset()


def key(path: str, name: str) -> str:
    """Return the key of a definition: the path of its file and its dotted name there."""
    return f"{path}:{name}"


def parts(of: str) -> tuple[str, str]:
    """Return path and dotted name of a key."""
    path, _, name = of.rpartition(":")
    return path, name


def only(value: Value) -> Values:
    """Return a set of one value."""
    return frozenset({value})
