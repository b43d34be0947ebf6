"""The values of a recipe: literals, tensors by shape, names to import, and calls of imported names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class TensorSpec:
    """A random tensor.

    Floats are normally distributed without `high`, else uniform in [low, high). Integers are uniform in
    [low, high). Booleans are true
    with the probability `high`, all without it.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = 0.0
    high: float | None = None

    @property
    def is_floating(self) -> bool:
        """Return whether the values are floats or complex numbers."""
        return self.dtype.startswith(("float", "bfloat", "complex"))


@dataclass(frozen=True)
class NameSpec:
    """Something that is imported: `torch.nn:ReLU`, `torch:float32`, `tests/test_model.py:Model`.

    `given` are the variables that something local to a function reads of it.
    """

    path: str
    given: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class CallSpec:
    """The result of a call of something that is imported, such as a module that another one takes."""

    path: str
    args: tuple[Value, ...] = ()
    kwargs: Mapping[str, Value] = field(default_factory=dict)
    given: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class TupleSpec:
    """A tuple, which is distinct from a list for the module that takes it."""

    items: tuple[Value, ...]


class NotDescribable(Exception):
    """A value that plain data cannot express, with the reason."""


Literal: TypeAlias = bool | int | float | str | None
Value: TypeAlias = (
    "Literal | TensorSpec | NameSpec | CallSpec | TupleSpec | list[Value] | dict[str, Value]"
)


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call."""

    args: tuple[Value, ...] = ()
    kwargs: Mapping[str, Value] = field(default_factory=dict)

    def with_value(self, key: int | str, value: Value) -> Arguments:
        """Return the arguments with one replaced or, for a new name, added."""
        if isinstance(key, int):
            return Arguments((*self.args[:key], value, *self.args[key + 1 :]), self.kwargs)
        return Arguments(self.args, {**self.kwargs, key: value})

    def without(self, key: str) -> Arguments:
        """Return the arguments without one keyword."""
        return Arguments(self.args, {k: v for k, v in self.kwargs.items() if k != key})

    def items(self) -> Iterator[tuple[int | str, Value]]:
        """Yield each argument with its position or name."""
        yield from enumerate(self.args)
        yield from self.kwargs.items()


def map_leaves(value: Value, change: Callable[[Value], Value]) -> Value:
    """Return a value with each leaf of its lists, tuples and dictionaries replaced by `change(leaf)`."""
    if isinstance(value, TupleSpec):
        return TupleSpec(tuple(map_leaves(item, change) for item in value.items))
    if isinstance(value, list):
        return [map_leaves(item, change) for item in value]
    if isinstance(value, dict):
        return {key: map_leaves(item, change) for key, item in value.items()}
    return change(value)


def map_tensors(value: Value, change: Callable[[TensorSpec], Value]) -> Value:
    """Return a value with each tensor in it replaced by `change(tensor)`."""
    return map_leaves(value, lambda leaf: change(leaf) if isinstance(leaf, TensorSpec) else leaf)


def map_arguments(arguments: Arguments, change: Callable[[TensorSpec], Value]) -> Arguments:
    """Return arguments with each tensor in them replaced by `change(tensor)`."""
    return Arguments(
        tuple(map_tensors(value, change) for value in arguments.args),
        {name: map_tensors(value, change) for name, value in arguments.kwargs.items()},
    )


def leaves_of(arguments: Arguments) -> list[Value]:
    """Return the leaves of some arguments, in order."""
    found: list[Value] = []

    def collect(leaf: Value) -> Value:
        found.append(leaf)
        return leaf

    for value in (*arguments.args, *arguments.kwargs.values()):
        map_leaves(value, collect)
    return found


def tensors_in(arguments: Arguments) -> list[TensorSpec]:
    """Return the tensors of some arguments, in order, without those that an object is made of."""
    return [leaf for leaf in leaves_of(arguments) if isinstance(leaf, TensorSpec)]


def is_drawn(value: Value) -> bool:
    """Return whether a leaf is a tensor, or an object that is made of one."""
    if isinstance(value, CallSpec):
        return any(map(is_drawn, leaves_of(Arguments(value.args, value.kwargs))))
    return isinstance(value, TensorSpec)
