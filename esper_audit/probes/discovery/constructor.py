"""The search for arguments of a constructor: likely values first, then what an error suggests."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache

import torch

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.failure import TrialFailure, failure_of
from esper_audit.probes.discovery.guesses import (
    annotated_classes,
    guesses_for,
    is_own_module,
    parameters_of,
)
from esper_audit.probes.recipes.materialise import materialise
from esper_audit.probes.recipes.values import Arguments, CallSpec, TupleSpec, Value

QUOTED = re.compile(r"['\"]([\w\-./]+)['\"]")
MISSING = re.compile(r"required (?:positional|keyword-only) arguments?: (.+)$")
UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
NOT_A_SEQUENCE = re.compile(
    r"not iterable|not subscriptable|has no len\(\)|'int' object has no attr"
)
NOT_A_NUMBER = re.compile(
    r"unsupported operand type|cannot be interpreted as an integer|must be (?:an )?int|not supported between"
)
MOST_LISTED = 4
DOWNLOADS = re.compile(r"pretrain|download|weights|checkpoint", re.IGNORECASE)
LACKING = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
KEYWORD = re.compile(r"[`'\"](\w+)[`'\"]")
MOST_NESTED_BUILDS = 12
MOST_CANDIDATES = 3
DEEPEST = 2  # a module that takes a module that takes a module


class ConstructorSearch:
    """The arguments with which a class may be built."""

    def __init__(self, kind: type, depth: int = 0) -> None:
        self.kind, self.depth = kind, depth
        self.parameters = {p.name: p for p in parameters_of(kind) if _is_named(p)}
        self.takes_any_keyword = any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters_of(kind)
        )
        self.guesses: dict[str, tuple[Value, ...]] = {}

    @property
    def needs_nothing(self) -> bool:
        """Return whether every parameter has a default."""
        return not any(_is_required(p) for p in self.parameters.values())

    def first(self) -> Arguments:
        """Return the likeliest arguments: the required ones."""
        required = [name for name, p in self.parameters.items() if _is_required(p)]
        return Arguments((), {name: self._guesses(name)[0] for name in required})

    def filled(self, given: Arguments, arguments: Arguments) -> Arguments:
        """Return the given arguments with what they leave out filled in from others."""
        positional = [*self.parameters][: len(given.args)]
        rest = {k: v for k, v in arguments.kwargs.items() if k not in positional}
        return Arguments(given.args or arguments.args, {**rest, **given.kwargs})

    def after(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield other arguments after a failure, those that the error suggests first."""
        yield from self._named_in_message(arguments, failure)
        blamed = [name for name in failure.names if name in self.parameters]
        for name in blamed:
            yield from self._other_form(arguments, name, failure)
        for name in blamed:
            yield from self._alternatives(arguments, name)

    def alternatives(self, arguments: Arguments) -> Iterator[Arguments]:
        """Yield the arguments with each one replaced in turn by its next likely values."""
        for name in arguments.kwargs:
            yield from self._alternatives(arguments, str(name))

    def optional(self, arguments: Arguments) -> Iterator[Arguments]:
        """Yield the arguments with each flag of the constructor turned the other way."""
        for name, parameter in self.parameters.items():
            if isinstance(parameter.default, bool) and name not in arguments.kwargs:
                yield arguments.with_value(name, not parameter.default)

    def without_download(self, arguments: Arguments) -> list[Arguments]:
        """Return the arguments with each option that asks for trained weights turned off."""
        named = [n for n in self.parameters if DOWNLOADS.search(n) and n not in arguments.kwargs]
        return [arguments.with_value(name, value) for name in named for value in (False, None)]

    def _guesses(self, name: str) -> tuple[Value, ...]:
        if name not in self.guesses:
            parameter = self.parameters.get(name) or inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY
            )
            nested = nested_calls(parameter, self.depth)
            self.guesses[name] = (*nested, *guesses_for(parameter, self.depth))
        return self.guesses[name]

    def _alternatives(self, arguments: Arguments, name: str) -> Iterator[Arguments]:
        current = arguments.kwargs.get(name)
        for value in self._guesses(name):
            if value != current:
                yield arguments.with_value(name, value)

    def _named_in_message(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with what the message names added, left out or replaced."""
        yield from self._missing(arguments, failure)
        yield from self._lacking_attribute(arguments, failure.message)
        if unexpected := UNEXPECTED.search(failure.message):
            yield arguments.without(unexpected[1])
        texts = [name for name, value in arguments.kwargs.items() if isinstance(value, str)]
        blamed = [name for name in failure.names if name in self.parameters and name not in texts]
        for word in QUOTED.findall(failure.message)[:6]:
            for name in [*texts, *blamed[:2]]:
                if arguments.kwargs.get(name) != word:
                    yield arguments.with_value(name, word)
        for name in self.parameters:
            is_named = re.search(rf"\b{re.escape(name)}\b", failure.message)
            if is_named and name not in failure.names:
                yield from self._alternatives(arguments, name)

    def _missing(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with those that a call further down asks for."""
        if missing := MISSING.search(failure.message):
            names = QUOTED.findall(missing[1])
            if self.takes_any_keyword or all(name in self.parameters for name in names):
                added = {name: self._guesses(name)[0] for name in names}
                yield Arguments((), {**arguments.kwargs, **added})
        for name in _named_keywords(failure) if self.takes_any_keyword else ():
            if name not in arguments.kwargs and name not in self.parameters:
                yield arguments.with_value(name, self._guesses(name)[0])

    def _lacking_attribute(self, arguments: Arguments, message: str) -> Iterator[Arguments]:
        """Yield the arguments with a class of the package that has the attribute that a module lacks."""
        lacking = LACKING.search(message)
        for name, value in arguments.kwargs.items() if lacking else ():
            if lacking and isinstance(value, CallSpec) and value.path.endswith(f":{lacking[1]}"):
                for call in modules_with_attribute(self.kind, lacking[2], self.depth):
                    yield arguments.with_value(str(name), call)

    def _other_form(
        self, arguments: Arguments, name: str, failure: TrialFailure
    ) -> Iterator[Arguments]:
        """Yield a list instead of a number where the error asks for one, and the reverse."""
        value = arguments.kwargs.get(name, self.parameters[name].default)
        if isinstance(value, (int, float)) and NOT_A_SEQUENCE.search(failure.message):
            for length in (2, 3, MOST_LISTED):
                yield arguments.with_value(name, [value] * length)
        if isinstance(value, list | TupleSpec | tuple) and NOT_A_NUMBER.search(failure.message):
            items = value.items if isinstance(value, TupleSpec) else value
            if items:
                yield arguments.with_value(name, items[0])


def _is_required(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter has no default."""
    return parameter.default is inspect.Parameter.empty


def _is_named(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter can be given by its name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return parameter.kind in kinds


def _named_keywords(failure: TrialFailure) -> list[str]:
    """Return the keywords that an error asks for: a missing key, or a name that must be passed in."""
    if failure.type == "KeyError" or re.search(r"must be|required|missing|need", failure.message):
        return KEYWORD.findall(failure.message)
    return []


def nested_calls(parameter: inspect.Parameter, depth: int) -> tuple[Value, ...]:
    """Return constructions of the module classes that an annotation names."""
    if depth >= DEEPEST:
        return ()
    kinds = [kind for kind in annotated_classes(parameter.annotation) if is_own_module(kind)]
    calls = [working_call(kind, depth + 1) for kind in kinds[:MOST_CANDIDATES]]
    return tuple(call for call in calls if call is not None)


@cache
def working_call(kind: type, depth: int) -> CallSpec | None:
    """Return a construction of a class that works, None if a short search finds none."""
    search = ConstructorSearch(kind, depth)
    pending, seen = [search.first()], list[Arguments]()
    while pending and len(seen) < MOST_NESTED_BUILDS:
        arguments = pending.pop(0)
        if arguments in seen:
            continue
        seen.append(arguments)
        path = f"{kind.__module__}:{kind.__qualname__}"
        call = CallSpec(path, arguments.args, arguments.kwargs)
        try:
            materialise(call, torch.default_generator)
        # A constructor is foreign code and may raise anything.
        except FAILURES as error:
            pending = [*search.after(arguments, failure_of(error, "__init__")), *pending]
        else:
            return call
    return None


def modules_with_attribute(kind: type, attribute: str, depth: int) -> Iterator[CallSpec]:
    """Yield constructions of the package's module classes that set an attribute."""
    if depth >= DEEPEST:
        return
    package = kind.__module__.partition(".")[0]
    sets = re.compile(rf"self\.{attribute}\s*[:=]|def {attribute}\b")
    found = 0
    for candidate in _module_classes(package):
        if candidate is kind or found >= MOST_CANDIDATES or not sets.search(_source(candidate)):
            continue
        call = working_call(candidate, depth + 1)
        if call is not None:
            found += 1
            yield call


def _module_classes(package: str) -> list[type]:
    modules = [
        m for n, m in sys.modules.items() if n.partition(".")[0] == package and m is not None
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and is_own_module(value)
    ]


@cache
def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""
