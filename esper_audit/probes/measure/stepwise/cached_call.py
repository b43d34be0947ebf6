"""Caches: which argument of a call is one, where the output holds it, and what the steps with it return."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from esper_audit.probes.measure.execution.precise_run import PreciseRun, cast_tree, gap
from esper_audit.probes.measure.output_tree import is_same, named_tensors, parts_of
from esper_audit.probes.measure.stepwise.sequence_cut import LENGTHS, SequenceCut, sequence_cut
from esper_audit.probes.recipes.materialise import CallArguments, import_name
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import Arguments, Value, tensors_in

KEYS_AND_VALUES = re.compile(
    r"(.*_)?(past|layer_past|pasts|(kv_)?caches?|past_(key_values?|kvs?|states?))|incremental_state"
)
STATE = re.compile(
    r"((initial|init|prev|previous|last|rnn|recurrent|hidden|ssm|conv)_)?states?|hx|h_?0|hidden|mems?"
)
CELL = re.compile(
    r"(init(ial)?_|prev_)?(c_?0|cx|cells?|c_prev|cell_states?)"
)  # the other half of a state
NO_CACHE = re.compile(r"(use|return|output|need|update|enable|is|should|input|reset|can)_.*")
FLAG = re.compile(
    r"(use|return|output|need|cache)_(.*cache|kvs?|.*past|presents?|.*hiddens?|.*intermediates|(\w+_)?states?|mems?)"
)  # fmt: skip
POSITIONS = re.compile(r"(input_|cache_|token_)?pos(ition)?s?(_ids?)?|cache_position")
OFFSET = re.compile(
    r"(start|past|cache|pos|position|seq|seq_pos|cur|current)_(pos|idx|index|len|length|offset)|offset|start"
)
DICTIONARY = "{}"  # the part of a cache that the caller gives as an empty dictionary
REST = "[1:]"
MOST_WAYS = 48
MOST_STEPS = 3
ENOUGH_POSITIONS = 6
SINGLE_PRECISION = 1e-5


@dataclass(frozen=True)
class CachedCall:
    """A way of calling a module step by step.

    `parameter` takes the cache, and `part` reads it from the output. The call of `subject` names its
    arguments from `parameter` on. A step is given the next position, or with `is_whole` all of them so
    far. `position` is the parameter that takes the position of the step, if it is given.
    """

    subject: Discovered
    cut: SequenceCut
    parameter: str
    part: str
    position: str = ""
    is_whole: bool = False

    @property
    def first(self) -> int:
        """The position of the first step."""
        return max(1, self.cut.length - MOST_STEPS)

    @property
    def is_named(self) -> bool:
        """Return whether the module calls the argument a cache, and not any state."""
        return bool(KEYS_AND_VALUES.fullmatch(self.parameter))

    def prefix(self, run: PreciseRun, seed: int = 0) -> Any:
        """Return the cache after the positions before the first step."""
        call = self.cut.call(self.subject, 0, self.first, seed)
        if self.part == DICTIONARY:
            cache = dict[str, Any]()
            self._evaluate(run, call, {self.parameter: cache})
            return cache
        return part_of(self._evaluate(run, call), self.part)

    def step(self, run: PreciseRun, at: int, cache: Any) -> tuple[Tensor, Any]:
        """Return the output at a position, and the next cache."""
        call = self.cut.call(self.subject, 0 if self.is_whole else at, at + 1)
        given = {self.parameter: cache}
        if self.position:
            given[self.position] = at if OFFSET.fullmatch(self.position) else torch.tensor([at])
        output = self._evaluate(run, call, given)
        found = self.cut.last(output) if self.is_whole else self.cut.output(output)
        after = cache if self.part == DICTIONARY else part_of(output, self.part)
        return found, after

    def steps_gap(self, run: PreciseRun) -> float:
        """Return how much the outputs of the steps differ from the whole pass, in tolerances."""
        whole = self.cut.output(
            self._evaluate(run, self.cut.call(self.subject, 0, self.cut.length))
        )
        cache = self.prefix(run)
        outputs: list[Tensor] = []
        for at in range(self.first, self.cut.length):
            output, cache = self.step(run, at, cache)
            outputs.append(output)
        expected = whole.narrow(self.cut.output_axis, self.first, len(outputs))
        return gap(torch.cat(outputs, self.cut.output_axis), expected) / tolerance(run)

    def is_read(self, run: PreciseRun) -> bool:
        """Return whether the cache of another prefix gives another output."""
        outputs = [self.step(run, self.first, self.prefix(run, seed))[0] for seed in (0, 1)]
        return gap(*outputs) > tolerance(run)

    def reuse_gap(self, run: PreciseRun) -> float:
        """Return how much a second step from one cache differs, in tolerances.

        It is zero if the first step wrote to no tensor of the cache, and for an object of the caller.
        """
        cache = self.prefix(run)
        if self.part == DICTIONARY:
            return 0.0
        tensors = named_tensors(cache)
        before = {path: tensor.clone() for path, tensor in tensors.items()}
        first = self.step(run, self.first, cache)[0].clone()
        is_written = not all(is_same(tensor, before[path]) for path, tensor in tensors.items())
        if not is_written or named_tensors(cache).keys() != tensors.keys():
            return 0.0
        return gap(first, self.step(run, self.first, cache)[0]) / tolerance(run)

    def _evaluate(self, run: PreciseRun, call: CallArguments, given: Mapping[str, Any] = {}) -> Any:
        """Return the output of a call, with arguments that are given as they are."""
        args, kwargs = cast_tree(call, run.dtype)
        return self.subject.evaluate(run.module, (args, {**kwargs, **given}))


def tolerance(run: PreciseRun) -> float:
    """Return the relative difference that rounding may cause, also of a part that computes in float32."""
    return max(run.tolerance, SINGLE_PRECISION)


def part_of(output: Any, part: str) -> Any:
    """Return the part of an output that a text reads."""
    return output[1:] if part == REST else dict(parts_of(output))[part]


def cached_calls(subject: Discovered, run: PreciseRun) -> Iterator[CachedCall]:
    """Yield the ways in which a module can be called step by step, the likeliest first.

    None where no earlier position matters, or an output depends on later ones.
    """
    subject, parameters = _long_enough(subject), _parameters(subject)
    if any(CELL.fullmatch(one.name) for one in parameters):
        return  # what takes a state in two arguments needs both
    flags = [p.name for p in parameters if FLAG.fullmatch(p.name) and not p.default]
    for parameter in parameters[1:]:
        if not is_cache(parameter):
            continue
        for flag in ("", *flags):
            named = _with_names(subject, [p.name for p in parameters], parameter.name, flag)
            cut = sequence_cut(named, run, parameter.name)
            if cut is not None:
                others = [p.name for p in parameters if p.default in (None, 0)]
                yield from _ways(named, run, cut, parameter, others)


def _long_enough(subject: Discovered) -> Discovered:
    """Return the subject with more positions where it has too few for a prefix and some steps."""
    tensors = tensors_in(subject.recipe.call)
    size = tensors[0].shape[1] if tensors and len(tensors[0].shape) > 1 else LENGTHS.start
    if size >= LENGTHS.start:
        return subject
    return replace(subject, recipe=subject.recipe.resized(1, size, ENOUGH_POSITIONS))


def takes_cache(subject: Discovered) -> bool:
    """Return whether the forward of a class has a parameter for a cache or state."""
    return any(map(is_cache, _parameters(subject)[1:]))


def _parameters(subject: Discovered) -> list[inspect.Parameter]:
    if subject.recipe.is_function:
        return []
    forward = import_name(subject.recipe.target).forward
    return list(inspect.signature(forward).parameters.values())[1:]


def is_cache(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter takes a cache or state by its name."""
    if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_KEYWORD):
        return False
    name = parameter.name
    is_named = KEYS_AND_VALUES.fullmatch(name) or STATE.fullmatch(name)
    return bool(is_named) and not NO_CACHE.fullmatch(name)


def _ways(
    subject: Discovered,
    run: PreciseRun,
    cut: SequenceCut,
    parameter: inspect.Parameter,
    others: list[str],
) -> Iterator[CachedCall]:
    output = subject.evaluate(run.module, cast_tree(cut.call(subject, 0, cut.length), run.dtype))
    positions = [n for n in others if POSITIONS.fullmatch(n) or OFFSET.fullmatch(n)]
    cuts = [cut, replace(cut, grows_masks=True)] if cut.has_mask else [cut]
    for part in _cache_parts(output, parameter, cut.path):
        for one in cuts:
            for position in ("", *positions):
                yield CachedCall(subject, one, parameter.name, part, position)
        yield CachedCall(subject, cuts[-1], parameter.name, part, is_whole=True)


def _cache_parts(output: Any, parameter: inspect.Parameter, path: str) -> Iterator[str]:
    """Yield the texts that read what may be the cache, what has its name before."""
    if parameter.name == "incremental_state" or "dict" in str(parameter.annotation).lower():
        yield DICTIONARY
    parts = [
        (text, value)
        for text, value in parts_of(output)
        if not path.startswith(text) and not (value is None or isinstance(value, (int, float, str)))
    ]
    named = [text for text, _ in parts if is_cache_name(text.strip("[].'"), parameter.name)]
    yield from named
    yield from (text for text, _ in parts if text not in named and isinstance(output, tuple | list))
    if isinstance(output, tuple) and len(parts) > 1 and len(parts) == len(output) - 1:
        yield REST


def is_cache_name(name: str, parameter: str) -> bool:
    """Return whether an output of this name is what the parameter takes."""
    return name == parameter or bool(KEYS_AND_VALUES.fullmatch(name) or STATE.fullmatch(name))


def _with_names(subject: Discovered, names: list[str], parameter: str, flag: str) -> Discovered:
    """Return the subject with its arguments from a parameter on given by name, and a flag set."""
    recipe, first = subject.recipe, names.index(parameter)
    later = dict(zip(names[first:], recipe.call.args[first:], strict=False))
    kwargs: dict[str, Value] = {**later, **recipe.call.kwargs}
    given = kwargs.pop(parameter, None)
    kwargs |= {flag: True} if flag else {}
    kwargs |= (
        {parameter: given} if given is not None else {}
    )  # the last, as the numbers of a cut count
    call = Arguments(recipe.call.args[:first], kwargs)
    return replace(subject, recipe=replace(recipe, call=call))
