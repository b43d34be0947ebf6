"""Padding: the mask or lengths of a call, the positions that they exclude, and what these change."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.execution.precise_run import PreciseRun, cast_tree, gap
from esper_audit.probes.measure.output_tree import named_tensors
from esper_audit.probes.recipes.argument_names import forward_parameters, named_arguments
from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import (
    Arguments,
    TensorSpec,
    Value,
    map_arguments,
    tensors_in,
)

PADDING_MASK = re.compile(
    r"(.*_)?(key_)?pad(ding)?_?mask|(encoder_)?attention_mask|key_mask|token_mask"
)
PLAIN_MASK = re.compile(r"(x_|src_|input_|seq_)?mask")
LENGTHS = re.compile(r"(x|src|input|seq|text|token|audio|wav|feat(ure)?)?s?_?(lens?|lengths?)")
ATTENTION = re.compile(r"attention|attn|transformer", re.IGNORECASE)
EXCLUDED = 2  # positions
LEAST_POSITIONS = 4
ENOUGH_POSITIONS = 6
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Padding:
    """The argument that excludes positions, and the one that it excludes them from, by their numbers.

    The numbers count the tensors of the call. `positions` is the number of positions, on axis 1.
    `meanings` are the values of a mask that may keep a position.
    """

    subject: Discovered
    input_number: int
    mask_number: int
    positions: int
    is_lengths: bool
    is_ratio: bool

    @property
    def sides(self) -> tuple[str, ...]:
        """The ends at which positions can be excluded."""
        return ("end",) if self.is_lengths else ("end", "beginning")

    @property
    def meanings(self) -> tuple[bool, ...]:
        """What may keep a position: true or false in a mask."""
        return (True,) if self.is_lengths else (True, False)

    def places(self, side: str) -> tuple[slice, slice]:
        """Return the excluded and the kept positions."""
        if side == "end":
            return slice(self.positions - EXCLUDED, None), slice(None, self.positions - EXCLUDED)
        return slice(None, EXCLUDED), slice(EXCLUDED, None)

    def replaced(self, side: str) -> slice:
        """Return the excluded position that is replaced, which is no neighbour of a kept one."""
        return slice(self.positions - 1, None) if side == "end" else slice(None, 1)

    def assignments(self, mask: str, at: str, *, kept: bool) -> list[str]:
        """Return the lines that exclude the positions in a variable."""
        if self.is_lengths:
            return [f"{mask}[:] = {self._length()}"]
        return [f"{mask}[:] = {kept:d}", f"{mask}{at} = {not kept:d}"]

    def compared(self, side: str) -> str:
        """Return the text that reads the compared part of the output."""
        output = self.subject.evaluate(self.subject.build(), self.subject.arguments_of_call())
        path, first = next(iter(named_tensors(output).items()))
        if not self._has_positions(first):
            return path
        _, rest = self.places(side)
        return f"{path}[:, {rest.start or ''}:{rest.stop or ''}]"

    def gap(self, run: PreciseRun, side: str, kept: bool) -> float | None:
        """Return how much the kept outputs change with the excluded positions, in tolerances.

        Whole numbers may stand for shares of the positions, if the module takes them so.
        """
        found = self._gap(run, side, kept)
        if found is None or found <= 1.0 or not self.is_lengths or self.is_ratio:
            return found
        numbers = count()

        def as_ratio(spec: TensorSpec) -> Value:
            return replace(spec, dtype="float32") if next(numbers) == self.mask_number else spec

        recipe = self.subject.recipe
        recipe = replace(recipe, call=map_arguments(recipe.call, as_ratio))
        other = replace(self, subject=replace(self.subject, recipe=recipe), is_ratio=True)
        in_shares = other.gap(run, side, kept)
        return in_shares if in_shares is not None and in_shares <= 1.0 else found

    def _gap(self, run: PreciseRun, side: str, kept: bool) -> float | None:
        """Return what `gap` returns for the lengths as they are.

        None if the module refuses the mask, or no output has the positions, or the samples alone.
        """
        _, rest = self.places(side)
        outputs: list[Tensor] = []
        for seed in (0, 1):
            call = self._excluding(side, seed, kept=kept)
            try:
                output = self.subject.evaluate(run.module, cast_tree(call, run.dtype))
            # A module may refuse a mask of the other meaning by any error.
            except FAILURES:
                return None
            first = next(iter(named_tensors(output).values()), None)
            if first is None or not first.is_floating_point():
                return None
            if not (self._has_positions(first) or self._is_pooled(first)):
                return None
            outputs.append(first[:, rest] if self._has_positions(first) else first)
        return gap(*outputs) / run.tolerance

    def _has_positions(self, output: Tensor) -> bool:
        sizes = (self.positions, self.positions - EXCLUDED * self.is_lengths)
        return output.dim() > 1 and output.shape[1] in sizes

    def _is_pooled(self, output: Tensor) -> bool:
        """Return whether an output has the samples and at most one axis more, which is no axis of positions."""
        samples = tensors_in(self.subject.recipe.call)[self.input_number].shape[0]
        return output.dim() in (1, 2) and output.shape[0] == samples

    def is_pooled(self, module: nn.Module) -> bool:
        """Return whether the output has no axis of positions, and may be read at the first or last one."""
        output = self.subject.evaluate(module, self.subject.arguments_of_call())
        first = next(iter(named_tensors(output).values()), None)
        return first is not None and not self._has_positions(first)

    def _excluding(self, side: str, seed: int, *, kept: bool) -> CallArguments:
        """Return a call that excludes positions, of which one depends on the seed."""
        (out, _), one = self.places(side), self.replaced(side)
        call, other = self.subject.arguments_of_call(), self.subject.arguments_of_call(seed)
        tensors, others = (list(_tensors(tree)) for tree in (call, other))
        tensors[self.input_number][:, one] = others[self.input_number][:, one]
        mask = tensors[self.mask_number]
        if self.is_lengths:
            mask.fill_(self._length())
        else:
            mask.fill_(kept)
            mask[:, out] = not kept
        return call

    def _length(self) -> float:
        left = self.positions - EXCLUDED
        return left / self.positions if self.is_ratio else left


def padding_of(subject: Discovered, module: nn.Module) -> Padding | None:
    """Return the padding of a call, None if it has no mask or lengths for its first sequence."""
    specs = _named_specs(subject)
    sequences = [(n, s) for n, (_, s) in enumerate(specs) if len(s.shape) > 1 and s.dtype != "bool"]
    if not sequences or subject.recipe.is_function:
        return None
    number, first = sequences[0]
    if first.shape[1] < LEAST_POSITIONS:
        return None
    has_attention = any(ATTENTION.search(type(part).__name__) for part in module.modules())
    for mask, (name, spec) in enumerate(specs):
        is_lengths = bool(LENGTHS.fullmatch(name)) and spec.shape == first.shape[:1]
        is_named = PADDING_MASK.fullmatch(name) or (has_attention and PLAIN_MASK.fullmatch(name))
        if is_lengths or (is_named and spec.shape == first.shape[:2] and mask != number):
            return Padding(subject, number, mask, first.shape[1], is_lengths, spec.is_floating)
    return None


def with_padding(subject: Discovered, module: nn.Module) -> Discovered:
    """Return the subject with enough positions and with a mask or lengths that `forward` may be given.

    It is the subject itself where that is so, or where there are none.
    """
    return _with_optional_mask(_with_enough_positions(subject, module), module)


def _with_enough_positions(subject: Discovered, module: nn.Module) -> Discovered:
    specs = tensors_in(subject.recipe.call)
    short = specs[0].shape[1] if specs and len(specs[0].shape) > 1 else LEAST_POSITIONS
    names = [name for name, _ in _named_specs(subject)] if short < LEAST_POSITIONS else []
    if not any(map(_excludes, names)):
        return subject
    longer = replace(subject, recipe=subject.recipe.resized(1, short, ENOUGH_POSITIONS))
    # What a module refuses is no axis of positions.
    with contextlib.suppress(*FAILURES):
        longer.evaluate(module, longer.arguments_of_call())
        return longer
    return subject


def _excludes(name: str) -> bool:
    """Return whether an argument excludes positions by its name."""
    return any(pattern.fullmatch(name) for pattern in (LENGTHS, PADDING_MASK, PLAIN_MASK))


def _with_optional_mask(subject: Discovered, module: nn.Module) -> Discovered:
    specs = tensors_in(subject.recipe.call)
    rank = 3 if specs and specs[0].is_floating else 2
    if not specs or len(specs[0].shape) != rank or padding_of(subject, module):
        return subject
    shape = specs[0].shape
    for parameter in forward_parameters(subject.recipe):
        name = parameter.name
        is_lengths = bool(LENGTHS.fullmatch(name))
        if parameter.default is not None or not _excludes(name):
            continue
        length = TensorSpec(shape[:1], "int64", shape[1], shape[1] + 1)
        spec = length if is_lengths else TensorSpec(shape[:2], "bool")
        call = subject.recipe.call.with_value(name, spec)
        given = replace(subject, recipe=replace(subject.recipe, call=call))
        # A module may refuse what only looks like a mask by any error.
        with contextlib.suppress(*FAILURES):
            given.evaluate(module, given.arguments_of_call())
            if padding_of(given, module):
                return given
    return subject


def is_plain_mask(subject: Discovered) -> bool:
    """Return whether a call has an argument that is called a mask, and no more."""
    names = [parameter.name for parameter in forward_parameters(subject.recipe)]
    return any(map(PLAIN_MASK.fullmatch, names)) and not any(map(PADDING_MASK.fullmatch, names))


def convolution_in(module: nn.Module) -> str:
    """Return the name of a convolution over several positions, empty if there is none."""
    for name, part in module.named_modules():
        if isinstance(part, CONVOLUTIONS) and max(part.kernel_size) > 1:
            return name or type(part).__name__
    return ""


def _named_specs(subject: Discovered) -> list[tuple[str, TensorSpec]]:
    """Return the tensors of the call, those that are arguments of their own under their name."""
    return [
        (name if isinstance(value, TensorSpec) else "", spec)
        for name, value in named_arguments(subject.recipe)
        for spec in tensors_in(Arguments((value,)))
    ]


def _tensors(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors of a call in the order of its recipe."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from _tensors(item)
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from _tensors(item)
