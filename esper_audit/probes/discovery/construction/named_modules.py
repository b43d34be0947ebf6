"""Modules of the package for an argument: by a class that a message names, or by its name and how it is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from esper_audit.probes.discovery.construction.annotated_values import complete_classes, is_complete
from esper_audit.probes.discovery.construction.argument_use import (
    ModuleCall,
    aliases_of,
    calls_of,
    package_classes,
)
from esper_audit.probes.discovery.construction.constructor_repair import (
    CALLABLES,
    NOT_CALLABLE,
    is_of_type,
    is_plain,
)
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.recipes.values import Arguments, CallSpec, Value

WANTED = re.compile(
    r"\b(?:must|should|has to|have to|expect\w*|extend|inherit|instance|subclass|needs?|only)\b",
    re.IGNORECASE,
)
CLASS_NAME = re.compile(r"\b[A-Z]\w+\b")
NO_MODULES = re.compile(r"\b(?:int|float|str) is not a Module subclass")
POSITIONAL = re.compile(
    r"(\w+)\.forward\(\) takes (?:from \d+ to )?\d+ positional arguments? but (\d+)"
)
MOST_CLASSES = 3
MOST_TRIED = 6
LEAST_LETTERS = 3  # of a word of a name that a class may share


@dataclass(frozen=True)
class PackageModules:
    """The modules of the package of a class, by a function `build` that returns a construction that works."""

    owner: type
    build: Callable[[type], CallSpec | None]

    def fitting(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with a module of the package where a failure asks for one."""
        yield from self._of_said_classes(arguments, failure)
        called = POSITIONAL.search(failure.message)
        is_called = NOT_CALLABLE.search(failure.message)
        for key, value in arguments.kwargs.items():
            name, first = str(key), value[0] if isinstance(value, list) and value else value
            others: Iterator[Value] = iter(())
            if called and is_of_type(first, called[1]):
                others = self._named(name, [ModuleCall(int(called[2]) - 1)])
            elif NO_MODULES.search(failure.message) and isinstance(value, list) and is_plain(value):
                others = self._with_layers(name, [])
            elif is_called and isinstance(value, (int, float)) and self._is_meant(name, failure):
                others = self._with_layers(name, calls_of(self.owner, name))
            for other in others:
                yield arguments.with_value(name, [other] * 2 if isinstance(value, list) else other)

    def _is_meant(self, name: str, failure: TrialFailure) -> bool:
        """Return whether a failure names an argument, or what it is an attribute of."""
        return bool(frozenset(failure.names) & {name, *aliases_of(self.owner, name)})

    def _with_layers(self, name: str, calls: Sequence[ModuleCall]) -> Iterator[Value]:
        """Yield layers of torch and modules of the package, these first where a layer cannot be called so."""
        is_plain_call = all(call == ModuleCall(1) for call in calls)
        yield from CALLABLES if is_plain_call else ()
        yield from self._named(name, calls)
        yield from () if is_plain_call else CALLABLES

    def _of_said_classes(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with an object of a class of the package that a message asks for."""
        said = dict.fromkeys(CLASS_NAME.findall(failure.message))
        if not WANTED.search(failure.message) or not said:
            return
        words = frozenset(re.findall(r"\w+", failure.message))
        named = [k for k in arguments.kwargs if k in words]
        keys = named or [k for k in arguments.kwargs if k in failure.names]
        known = {one.__name__: one for one in package_classes(_package(self.owner))}
        for kind in (known[name] for name in said if name in known):
            wanted = complete_classes(kind) if not issubclass(kind, BaseException) else []
            for call in self._built(one for one in wanted if not issubclass(one, self.owner)):
                yield from (
                    arguments.with_value(k, call) for k in keys if arguments.kwargs[k] != call
                )

    def _named(self, name: str, calls: Sequence[ModuleCall]) -> Iterator[CallSpec]:
        """Yield modules whose class shares a word with an argument, that can be called as it is."""
        words = [w.rstrip("s") for w in name.lower().split("_") if len(w) >= LEAST_LETTERS]
        whole = "".join(words)
        ranked: list[tuple[bool, int, bool, int, type]] = []
        for number, kind in enumerate(package_classes(_package(self.owner))):
            low = kind.__name__.lower()
            shared = sum(word in low for word in words)
            is_fit = shared and issubclass(kind, nn.Module) and not issubclass(kind, self.owner)
            if is_fit and is_complete(kind) and all(_can_be(kind, call) for call in calls):
                far = kind.__module__ != self.owner.__module__
                ranked.append((far, -shared, whole not in low, number, kind))
        return self._built(kind for *_, kind in sorted(ranked, key=lambda one: one[:4]))

    def _built(self, kinds: Iterator[type]) -> Iterator[CallSpec]:
        """Yield constructions of the first few classes that can be built."""
        found = 0
        for tried, kind in enumerate(kinds):
            if found == MOST_CLASSES or tried == MOST_TRIED:
                return
            call = self.build(kind)
            if call is not None:
                found += 1
                yield call


def _can_be(kind: type[nn.Module], call: ModuleCall) -> bool:
    """Return whether the forward of a class takes the arguments of a call."""
    try:
        parameters = [*inspect.signature(kind.forward).parameters.values()][1:]
    except (TypeError, ValueError):
        return False
    kinds = {p.kind for p in parameters}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} & kinds:
        return True
    given = {p.name for p in parameters[: call.count]} | call.keywords
    needed = {p.name for p in parameters if p.default is inspect.Parameter.empty}
    return call.count <= len(parameters) and needed <= given <= {p.name for p in parameters}


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
