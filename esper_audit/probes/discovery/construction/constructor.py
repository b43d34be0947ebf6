"""The search for arguments of a constructor: likely values first, then what an error suggests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache, partial

import torch

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.construction.annotated_values import (
    AnnotatedValues,
    complete_classes,
)
from esper_audit.probes.discovery.construction.argument_use import (
    attributes_read,
    classes_with,
    record_classes,
)
from esper_audit.probes.discovery.construction.constructor_repair import (
    LACKING,
    NEEDED,
    NOT_A_SEQUENCE,
    QUOTED,
    is_layer,
    is_of_type,
    is_plain,
    made_equal,
    named_keywords,
    of_other_form,
    of_other_kind,
    of_other_length,
    respelled,
    with_keyword,
    with_layers,
    with_modules,
    with_numbers,
    with_said_words,
    without_refused,
)
from esper_audit.probes.discovery.construction.dictionaries import with_entries
from esper_audit.probes.discovery.construction.guesses import (
    guesses_for,
    is_named,
    is_required,
    parameters_of,
)
from esper_audit.probes.discovery.construction.named_modules import PackageModules
from esper_audit.probes.discovery.construction.optional_arguments import (
    DOWNLOADS,
    with_smaller_sizes,
    without_weights,
)
from esper_audit.probes.discovery.construction.settings import (
    NAMESPACE,
    completed_settings,
    is_settings_class,
    namespace_call,
    replaced_settings,
    settings_calls,
    smaller_settings,
)
from esper_audit.probes.discovery.failure import TrialFailure, failure_of
from esper_audit.probes.discovery.trial_queue import TrialQueue
from esper_audit.probes.recipes.materialise import materialise
from esper_audit.probes.recipes.values import Arguments, CallSpec, NameSpec, Value

MISSING = re.compile(r"required (?:positional|keyword-only) arguments?: (.+)$")
OTHER_LAYER = re.compile(r"mat1 and mat2|weight of size|normalized_shape|channels|dimension")
WRONG_TYPE = re.compile(r"TypeError|AttributeError|isinstance|\btypes?\b")
WANTED_KEYWORD = re.compile(r"(\w+)\.forward\(\) got an unexpected keyword argument '(\w+)'")
MOST_NESTED_BUILDS = 12
MOST_CANDIDATES = 3
MOST_TRIED = 8
DEEPEST = 2  # a module that takes a module that takes a module


class ConstructorSearch:
    """The arguments with which a class may be built."""

    def __init__(self, kind: type, depth: int = 0) -> None:
        self.kind, self.depth = kind, depth
        self.parameters = {p.name: p for p in parameters_of(kind) if is_named(p)}
        self.takes_any_keyword = any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters_of(kind)
        )
        self.guesses: dict[str, tuple[Value, ...]] = {}

    @property
    def needs_nothing(self) -> bool:
        """Return whether every parameter has a default."""
        return not any(is_required(p) for p in self.parameters.values())

    def first(self) -> Arguments:
        """Return the likeliest arguments: the required ones."""
        required = [name for name, p in self.parameters.items() if is_required(p)]
        return Arguments((), {name: self.guesses_of(name)[0] for name in required})

    def filled(self, given: Arguments, arguments: Arguments) -> Arguments:
        """Return the given arguments with what they leave out filled in from others."""
        positional = [*self.parameters][: len(given.args)]
        rest = {k: v for k, v in arguments.kwargs.items() if k not in positional}
        return Arguments(given.args or arguments.args, {**rest, **given.kwargs})

    def after(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield other arguments after a failure, those that the error suggests first."""
        yield from with_entries(self.kind, self.parameters, arguments, failure, self.guesses_of)
        yield from self._named_in_message(arguments, failure)
        yield from self._records(arguments, failure)
        blamed = [n for n in failure.names if n in self.parameters or n in arguments.kwargs]
        for name in blamed:
            parameter = self.parameters.get(name)
            default = None if parameter is None else parameter.default
            yield from of_other_form(arguments, name, failure, default)
        if not blamed and NOT_A_SEQUENCE.search(failure.message):
            for name in arguments.kwargs:
                yield from of_other_form(arguments, str(name), failure)
        yield from of_other_length(arguments, failure)
        for name in blamed:
            yield from self._alternatives(arguments, name)
        for key, value in arguments.kwargs.items():
            if isinstance(value, CallSpec) and value.path == NAMESPACE:
                for other in of_other_kind(Arguments((), value.kwargs), failure):
                    made = CallSpec(value.path, value.args, other.kwargs)
                    yield arguments.with_value(str(key), made)
        yield from replaced_settings(arguments, failure.names, self.guesses_of)

    def alternatives(self, arguments: Arguments) -> Iterator[Arguments]:
        """Yield the arguments with each one replaced in turn by its next likely values."""
        for name in arguments.kwargs:
            yield from self._alternatives(arguments, str(name))

    def guesses_of(self, name: str) -> tuple[Value, ...]:
        """Return the likely values of an argument, the likeliest first."""
        if name not in self.guesses:
            is_own = name in self.parameters
            unknown = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
            parameter = self.parameters.get(name, unknown)
            settings = settings_calls(self.kind, parameter, self.depth) if is_own else ()
            nested = () if settings else nested_calls(self.kind, parameter, self.depth)
            self.guesses[name] = (
                *settings,
                *nested,
                *guesses_for(parameter, self.depth, self.kind),
            )
        return self.guesses[name]

    def _alternatives(self, arguments: Arguments, name: str) -> Iterator[Arguments]:
        others = (v for v in self.guesses_of(name) if v != arguments.kwargs.get(name))
        yield from (arguments.with_value(name, value) for value in others)

    def _named_in_message(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with what the message names added, left out or replaced."""
        yield from self._missing(arguments, failure)
        yield from self.lacking_in_call(arguments, failure)
        yield from made_equal(arguments, failure.message)
        yield from with_numbers(arguments, failure)
        yield from respelled(arguments, failure.message)
        if DOWNLOADS.search(failure.message):
            yield from without_weights(self.parameters, arguments)
        yield from without_refused(arguments, failure.message)
        yield from with_said_words(self.parameters, arguments, failure)
        for name in self.parameters:
            is_named = re.search(rf"\b{re.escape(name)}\b", failure.message)
            is_needed = NEEDED.search(failure.message) and name not in arguments.kwargs
            if is_named and (is_needed or name not in failure.names):
                yield from self._alternatives(arguments, name)

    def _missing(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with those that a call further down asks for."""
        if missing := MISSING.search(failure.message):
            names = QUOTED.findall(missing[1])
            if self.takes_any_keyword or all(name in self.parameters for name in names):
                added = {name: self.guesses_of(name)[0] for name in names}
                yield Arguments((), dict(arguments.kwargs) | added)
        for name in named_keywords(failure) if self.takes_any_keyword else ():
            if name not in arguments.kwargs and name not in self.parameters:
                yield arguments.with_value(name, self.guesses_of(name)[0])

    def lacking_attribute(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with one that has the attribute that a given one lacks."""
        yield from with_layers(arguments, failure)
        lacking = LACKING.search(failure.message)
        for key, value in arguments.kwargs.items() if lacking else ():
            name = str(key)
            if not lacking or not is_of_type(value, lacking[1]):
                continue
            if isinstance(value, CallSpec) and value.path == NAMESPACE:
                guess = self.guesses_of(lacking[2])[0]
                yield arguments.with_value(name, with_keyword(value, lacking[2], guess))
            elif isinstance(value, (CallSpec, NameSpec)) or name in failure.names:
                wanted = attributes_read(self.kind, name) | {lacking[2]}
                for other in values_with(self.kind, wanted, value, self.depth):
                    yield arguments.with_value(name, other)
                if not isinstance(value, (CallSpec, NameSpec)):
                    made = namespace_call(self.kind, name, lacking[2], self.guesses_of)
                    yield arguments.with_value(name, made)

    def lacking_in_call(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with a module in them that has what a call of the built module wants of it."""
        yield from self._completed(arguments, failure)
        yield from self.lacking_attribute(arguments, failure)
        for name in failure.names if NOT_A_SEQUENCE.search(failure.message) else ():
            if name in arguments.kwargs:
                yield from of_other_form(arguments, name, failure)
        yield from with_modules(arguments, failure)
        if self.depth < DEEPEST:
            package = PackageModules(self.kind, partial(working_call, depth=self.depth + 1))
            yield from package.fitting(arguments, failure)
        yield from with_smaller_sizes(self.parameters, arguments, failure)
        if OTHER_LAYER.search(failure.message):
            layers = [k for k, v in arguments.kwargs.items() if is_layer(v)]
            yield from (one for k in layers for one in self._alternatives(arguments, str(k)))
        unexpected = WANTED_KEYWORD.search(failure.message)
        for key, value in arguments.kwargs.items() if unexpected else ():
            if unexpected and isinstance(value, CallSpec) and is_of_type(value, unexpected[1]):
                wanted = attributes_read(self.kind, str(key))
                for other in values_with(self.kind, wanted, value, self.depth, unexpected[2]):
                    yield arguments.with_value(str(key), other)

    def _completed(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with what is None in them, or in settings in them, given."""
        lacking = LACKING.search(failure.message)
        owner, attribute = lacking.groups() if lacking else ("", "")
        for name in failure.names if "NoneType" in failure.message else ():
            if name in self.parameters and self.parameters[name].default is None:
                yield from self._alternatives(arguments, name)
        for key, value in arguments.kwargs.items():
            if isinstance(value, CallSpec):
                wanted = attribute if is_of_type(value, owner) else ""
                for other in completed_settings(value, failure.names, wanted, self.guesses_of):
                    yield arguments.with_value(str(key), other)

    def _records(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        """Yield the arguments with a list of records of the package where items are of a wrong type."""
        if not WRONG_TYPE.search(failure.sentence()) or self.depth >= DEEPEST:
            return
        lists = [k for k, v in arguments.kwargs.items() if isinstance(v, list) and is_plain(v)]
        kinds = record_classes(self.kind)[:MOST_CANDIDATES] if lists else []
        for call in filter(None, (working_call(kind, self.depth + 1) for kind in kinds)):
            yield from (arguments.with_value(str(key), [call]) for key in lists)


def nested_calls(owner: type, parameter: inspect.Parameter, depth: int) -> tuple[Value, ...]:
    """Return constructions of the module classes, and of other classes of the package, that an annotation names.

    They are in lists, tuples and dictionaries where the annotation has these.
    """
    if depth >= DEEPEST:
        return ()

    def built(kind: type) -> Iterator[Value]:
        for one in complete_classes(kind)[:MOST_CANDIDATES]:
            call = working_call(one, depth + 1)
            if call is not None:
                yield from smaller_settings(one, call) if is_settings_class(one) else [call]

    return tuple(AnnotatedValues(owner, parameter.name, built).of(parameter.annotation))


@cache
def working_call(kind: type, depth: int) -> CallSpec | None:
    """Return a construction of a class that works, None if a short search finds none."""
    search = ConstructorSearch(kind, depth)
    pending, tried = TrialQueue(search.first()), 0
    while pending and tried < MOST_NESTED_BUILDS:
        candidate, tried = pending.pop(), tried + 1
        arguments = candidate.arguments
        call = CallSpec(f"{kind.__module__}:{kind.__qualname__}", arguments.args, arguments.kwargs)
        try:
            materialise(call, torch.default_generator)
        # A constructor is foreign code and may raise anything.
        except FAILURES as error:
            failure = failure_of(error, "__init__")
            if not candidate.is_no_better(failure):
                pending.add_after(failure, candidate, search.after(arguments, failure))
        else:
            return call
    return None


def values_with(
    kind: type, attributes: frozenset[str], like: Value, depth: int, keyword: str = ""
) -> Iterator[CallSpec | NameSpec]:
    """Yield the package's classes with attributes, or constructions of them, as `like` is a class or an object."""
    if depth >= DEEPEST:
        return
    found = 0
    for candidate in classes_with(kind, attributes, keyword)[:MOST_TRIED]:
        path = f"{candidate.__module__}:{candidate.__qualname__}"
        if isinstance(like, NameSpec):
            yield NameSpec(path)
            continue
        if found < MOST_CANDIDATES and BaseException not in candidate.__mro__:
            call = working_call(candidate, depth + 1)
            if call is not None:
                found += 1
                yield call
