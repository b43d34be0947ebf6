"""The arguments that a constructor can do without: flags, widths of zero, trained weights, large sizes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from esper_audit.probes.discovery.construction.small_sizes import WIDTH, is_size, smaller_sizes
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.recipes.values import Arguments, Value
from esper_audit.probes.sandbox.refused_allocation import is_about_memory

DOWNLOADS = re.compile(r"pretrain|download|weights|checkpoint", re.IGNORECASE)
PICTURE = re.compile(r"(img|image|input)_?(size|resolution)|resolution", re.IGNORECASE)
LARGEST_PICTURE = 64
Parameters = Mapping[str, inspect.Parameter]


def with_options(
    parameters: Parameters, arguments: Arguments, guesses: Callable[[str], Sequence[Value]]
) -> Iterator[Arguments]:
    """Yield the arguments with each width that is zero given, and each flag turned the other way."""
    left = {n: p.default for n, p in parameters.items() if n not in arguments.kwargs}
    for name, default in left.items():
        if type(default) is int and not default and WIDTH.fullmatch(name):
            yield arguments.with_value(name, guesses(name)[0])
    for name, default in left.items():
        if isinstance(default, bool):
            yield arguments.with_value(name, not default)


def without_weights(parameters: Parameters, arguments: Arguments) -> list[Arguments]:
    """Return the arguments with each option that asks for trained weights turned off."""
    named = [n for n in parameters if DOWNLOADS.search(n) and n not in arguments.kwargs]
    flags = {n for n in named if isinstance(parameters[n].default, bool)}
    off = {name: (False, None) if name in flags else (None, False) for name in named}
    return [arguments.with_value(name, value) for name in named for value in off[name]]


def with_smaller_sizes(
    parameters: Parameters, arguments: Arguments, failure: TrialFailure
) -> Iterator[Arguments]:
    """Yield the arguments with the sizes that a class defaults to made small, where memory did not suffice."""
    if not is_about_memory(failure.sentence()):
        return
    defaults = {n: p.default for n, p in parameters.items() if n not in arguments.kwargs}
    sizes = {n: v for n, v in defaults.items() if is_size(v)}
    pictures = {n: LARGEST_PICTURE for n in sizes if PICTURE.fullmatch(n)}
    for changes in smaller_sizes(sizes) if sizes else ():
        yield Arguments(arguments.args, {**arguments.kwargs, **changes, **pictures})
