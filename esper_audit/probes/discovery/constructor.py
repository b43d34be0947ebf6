"""The search for arguments of a constructor: likely values first, then what an error suggests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.guesses import guesses_for, parameters_of
from esper_audit.probes.recipes.values import Arguments, TupleSpec, Value

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


class ConstructorSearch:
    """The arguments with which a class may be built."""

    def __init__(self, kind: type) -> None:
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

    def _guesses(self, name: str) -> tuple[Value, ...]:
        if name not in self.guesses:
            parameter = self.parameters.get(name) or inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY
            )
            self.guesses[name] = guesses_for(parameter)
        return self.guesses[name]

    def _alternatives(self, arguments: Arguments, name: str) -> Iterator[Arguments]:
        current = arguments.kwargs.get(name)
        for value in self._guesses(name):
            if value != current:
                yield arguments.with_value(name, value)

    def _named_in_message(self, arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
        if missing := MISSING.search(failure.message):
            names = QUOTED.findall(missing[1])
            if self.takes_any_keyword or all(name in self.parameters for name in names):
                added = {name: self._guesses(name)[0] for name in names}
                yield Arguments((), {**arguments.kwargs, **added})
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
