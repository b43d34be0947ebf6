"""Cutting a call along its positions: which tensors are cut, and the axis of the output that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, product
from typing import Any

from torch import Tensor

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.execution.precise_run import PreciseRun, gap, map_tree
from esper_audit.probes.measure.output_tree import named_tensors, tensors_of
from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import TensorSpec, tensors_in

LENGTHS = range(4, 129)
AXES = (1, 0, 2)  # the batch first, positions first, or channels before positions


@dataclass(frozen=True)
class SequenceCut:
    """How a call is cut to some of its positions.

    `length` is the number of positions, on the axis `axis` of the inputs. `numbers` are the tensors that
    are cut, in the order of the call without the argument `kept`. `path` reads from the output the tensor
    whose axis `output_axis` follows. With `grows_masks` a mask has all positions up to the last.
    """

    specs: tuple[TensorSpec, ...]
    numbers: tuple[int, ...]
    axis: int
    length: int
    kept: str
    path: str = ""
    output_axis: int = 1
    grows_masks: bool = False

    @property
    def has_mask(self) -> bool:
        """Return whether one of the tensors that are cut is a mask of one axis of positions."""
        return any(self.specs[n].dtype == "bool" for n in self.numbers)

    def index(self, number: int, start: int | str, stop: int | str) -> tuple[slice, ...]:
        """Return the index that cuts a tensor of the call to some positions, whole if it is not cut.

        The positions are numbers, or names of variables of a program.
        """
        if number not in self.numbers:
            return ()
        spec = self.specs[number]
        axes = [n for n, size in enumerate(spec.shape) if size == self.length and n >= self.axis]
        if spec.dtype != "bool":
            axes = axes[:1]
        of_keys = slice(None, stop)
        cuts = (
            {axes[-1]: of_keys}
            if len(axes) > 1 or (self.grows_masks and spec.dtype == "bool")
            else {}
        )
        cuts = {axes[0]: slice(start or None, stop)} | cuts
        return tuple(cuts.get(n, slice(None)) for n in range(max(cuts) + 1))

    def call(self, subject: Discovered, start: int, stop: int, seed: int = 0) -> CallArguments:
        """Return the arguments at some positions, drawn under a seed."""
        args, kwargs = subject.arguments_of_call(seed)
        given = {self.kept: kwargs[self.kept]} if self.kept in kwargs else {}
        rest = {name: value for name, value in kwargs.items() if name != self.kept}
        numbers = count()
        cut: CallArguments = map_tree(
            (args, rest), lambda tensor: tensor[self.index(next(numbers), start, stop)].clone()
        )
        return cut[0], {**cut[1], **given}

    def output(self, output: Any) -> Tensor:
        """Return the tensor of an output that follows the positions."""
        return named_tensors(output)[self.path]

    def last(self, output: Any) -> Tensor:
        """Return the last position of an output."""
        tensor = self.output(output)
        return tensor.narrow(self.output_axis, tensor.shape[self.output_axis] - 1, 1)


def sequence_cut(subject: Discovered, run: PreciseRun, kept: str) -> SequenceCut | None:
    """Return how a call is cut so that the output at the first positions stays, and later ones depend on them.

    None if there is no such way: the module is not causal, or has no memory.
    """
    call = subject.recipe.call
    specs = tuple(tensors_in(call.without(kept)))
    if not specs:
        return None
    for axis, is_first_only in product(AXES, (True, False)):
        if len(specs[0].shape) <= axis or specs[0].shape[axis] not in LENGTHS:
            continue
        size = specs[0].shape[axis]
        fitting = [n for n, s in enumerate(specs) if size in s.shape[axis:]]
        numbers = tuple(fitting[:1] if is_first_only else fitting)
        found = _followed(subject, run, SequenceCut(specs, numbers, axis, size, kept))
        if found is not None:
            return found
    return None


def _followed(subject: Discovered, run: PreciseRun, cut: SequenceCut) -> SequenceCut | None:
    half = cut.length // 2

    def evaluate(call: CallArguments) -> dict[str, Tensor]:
        return run.evaluate(subject, call)

    try:
        whole, part = (evaluate(cut.call(subject, 0, stop)) for stop in (cut.length, half))
        other = evaluate(_with_later(cut, subject, half))
    # A cut that the module refuses is none.
    except FAILURES:
        return None
    for path, tensor in whole.items():
        shape = part[path].shape if path in part else ()
        axes = [n for n, (a, b) in enumerate(zip(tensor.shape, shape, strict=False)) if a != b]
        if len(axes) != 1 or (tensor.shape[axes[0]], shape[axes[0]]) != (cut.length, half):
            continue
        early, late = (axes[0], 0, half), (axes[0], half, cut.length - half)
        is_causal = gap(tensor.narrow(*early), part[path]) <= run.tolerance
        has_memory = gap(tensor.narrow(*late), other[path].narrow(*late)) > run.tolerance
        return replace(cut, path=path, output_axis=axes[0]) if is_causal and has_memory else None
    return None


def _with_later(cut: SequenceCut, subject: Discovered, half: int) -> CallArguments:
    """Return other arguments with the later positions of the call."""
    earlier = tensors_of(cut.call(subject, 0, half, 1))
    numbers = count()

    def mixed(tensor: Tensor) -> Tensor:
        number = next(numbers)
        if number in cut.numbers:
            tensor[cut.index(number, 0, half)] = earlier[number]
        return tensor

    changed: CallArguments = map_tree(cut.call(subject, 0, cut.length), mixed)
    return changed
