"""The values of an annotation in which a class of the package occurs, also inside lists and dictionaries."""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from esper_audit.probes.discovery.base_classes import has_forward
from esper_audit.probes.discovery.construction.argument_use import package_classes
from esper_audit.probes.discovery.construction.guesses import alternatives, guesses_for
from esper_audit.probes.discovery.construction.settings import is_plain_class
from esper_audit.probes.recipes.values import TupleSpec, Value
from esper_audit.probes.subject.class_source import is_own_module

MOST_ITEMS = 3
KEYS = ("a", "b")  # of a dictionary


@dataclass(frozen=True)
class AnnotatedValues:
    """The values of a parameter of a class, by a function `build` that yields objects of a class."""

    owner: type
    name: str
    build: Callable[[type], Iterator[Value]]

    def of(self, annotation: Any) -> Iterator[Value]:
        """Yield the values of an annotation, none if no class of the package occurs in it."""
        for kind in alternatives(annotation):
            origin = typing.get_origin(kind)
            if isinstance(origin, type) and origin is not type:
                yield from self._of_items(origin, typing.get_args(kind))
            elif isinstance(kind, type) and (
                is_own_module(kind) or is_plain_class(kind, self.owner)
            ):
                yield from self.build(kind)

    def _of_items(self, origin: type, arguments: tuple[Any, ...]) -> Iterator[Value]:
        items = [one for one in arguments if one is not ...]
        inner = list(itertools.islice(self.of(items[-1]), MOST_ITEMS)) if items else []
        for one in inner:
            if issubclass(origin, tuple):
                others = [self._first(item) for item in items[:-1]]
                yield TupleSpec((*others, *[one] * (1 + (... in arguments))))
            elif issubclass(origin, Mapping):
                yield dict.fromkeys(KEYS, one)
            elif issubclass(origin, Iterable):
                yield [one, one]

    def _first(self, annotation: Any) -> Value:
        """Return the likeliest value of an annotation, of a class of the package or not."""
        parameter = inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation
        )
        return next(self.of(annotation), guesses_for(parameter)[0])


def complete_classes(kind: type) -> list[type]:
    """Return a class, or the classes of its package that complete it if it leaves something to them."""
    if is_complete(kind):
        return [kind]
    package = package_classes(kind.__module__.partition(".")[0])
    return [
        one for one in package if issubclass(one, kind) and one is not kind and is_complete(one)
    ]


def is_complete(kind: type) -> bool:
    """Return whether a class is not abstract and, if it is a module, has a forward."""
    return not inspect.isabstract(kind) and (not issubclass(kind, nn.Module) or has_forward(kind))
