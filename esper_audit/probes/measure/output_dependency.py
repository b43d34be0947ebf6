"""What an output depends on: three detectors, each of which sees what another is blind to.

Gradients miss what is detached, argmax and a backward that lies. Altering the input misses a branch
whose value is cancelled in the forward. Neither sees an output that depends on the length: only the
prefix does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.subject.determinism import begin_streams
from esper_audit.probes.subject.subject import Draw, Module

STREAM = 7


class SequenceFunction:
    """A module as a function of a sequence, with time on axis 1 of what goes in and what comes out.

    Each call starts from the same place in the random stream, or from the one given.
    """

    def __init__(self, subject: Module, module: nn.Module, axis: int) -> None:
        self.subject, self.module, self.axis = subject, module, axis

    def __call__(self, sequence: Tensor, stream: int = STREAM) -> Tensor:
        """Return the output (batch, time, ...)."""
        begin_streams(stream)
        output = self.subject.call(self.module, sequence.movedim(1, self.axis))
        return output.movedim(self.axis, 1)

    def sequence(self, draw: Draw) -> Tensor:
        """Return the inputs of a draw (batch, time, ...)."""
        return self.subject.inputs(draw).movedim(self.axis, 1)

    @contextmanager
    def leaf(self, sequence: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Give what to call with, and a list that holds the leaf of the gradient after the call."""
        if self.subject.embedding is None:
            leaf = sequence.detach().clone().requires_grad_()
            yield leaf, [leaf]
            return
        leaves: list[Tensor] = []

        def cut(_module: nn.Module, _inputs: object, embedded: Tensor) -> Tensor:
            leaves.append(embedded.detach().requires_grad_())
            return leaves[-1]

        hook = self.subject.embedding(self.module).register_forward_hook(cut)
        try:
            yield sequence, leaves
        finally:
            hook.remove()


def later_gradients(
    sight: SequenceFunction, sequence: Tensor, boundaries: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """Yield (t, largest gradient of outputs up to t at inputs after t), for a random cotangent."""
    with sight.leaf(sequence) as (argument, leaves):
        output = sight(argument)
    if not output.requires_grad:
        yield from ((boundary, 0.0) for boundary in boundaries)
        return
    for boundary in boundaries:
        seen = output[:, : boundary + 1]
        cotangent = torch.randn(seen.shape, dtype=seen.dtype)
        (gradient,) = torch.autograd.grad(
            (seen * cotangent).sum(), leaves, retain_graph=True, allow_unused=True
        )
        later = 0.0 if gradient is None else largest(gradient[:, boundary + 1 :])
        yield boundary, later


def altered_difference(
    sight: SequenceFunction, sequence: Tensor, other: Tensor, boundary: int, whole: Tensor
) -> float:
    """Return how much outputs up to t change when `other` takes the place of the inputs after t.

    `whole` is the output of `sequence` as it is, here and below.
    """
    replaced = torch.cat((sequence[:, : boundary + 1], other[:, boundary + 1 :]), dim=1)
    return difference(whole[:, : boundary + 1], sight(replaced)[:, : boundary + 1])


def prefix_difference(
    sight: SequenceFunction, sequence: Tensor, boundary: int, whole: Tensor
) -> float | None:
    """Return how much outputs up to t change when the inputs after t are left out, relatively.

    None where the module does not take so short a sequence.
    """
    try:
        alone = sight(sequence[:, : boundary + 1])
    # A length that the module refuses is no answer to the question, whatever it raises.
    except FAILURES:
        return None
    before = whole[:, : boundary + 1]
    return difference(before, alone) / (largest(before) or 1.0)


def live_parameters(sight: SequenceFunction, sequence: Tensor) -> set[str]:
    """Return the names of the parameters that got a gradient which is not zero."""
    output = sight(sequence)
    named = {name: p for name, p in sight.module.named_parameters() if p.requires_grad}
    if not output.requires_grad or not named:
        return set()
    scalar = (output * torch.randn(output.shape, dtype=output.dtype)).sum()
    gradients = torch.autograd.grad(scalar, list(named.values()), allow_unused=True)
    return {n for n, g in zip(named, gradients, strict=True) if g is not None and bool(g.any())}


def difference(a: Tensor, b: Tensor) -> float:
    """Return the largest difference; infinite where shapes differ or only one side is a number."""
    if a.shape != b.shape:
        return float("inf")
    if torch.equal(a, b):
        return 0.0
    gap = (a - b).abs()
    gap = torch.where(a.isnan() & b.isnan(), 0.0, gap)  # the same hole on both sides
    return largest(gap.nan_to_num(nan=float("inf")))


def largest(values: Tensor) -> float:
    """Return the largest magnitude; 0 of nothing, infinite where a value is not a number."""
    if not values.numel():
        return 0.0
    return float(values.detach().abs().nan_to_num(nan=float("inf"), posinf=float("inf")).max())
