"""Three detectors of what an output depends on, which complement each other.

Gradients miss detached values, argmax and a wrong custom backward. Altered inputs miss a branch whose
value cancels in the forward. Only the prefix detects an output that depends on the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module

STREAM = 7


class SequenceFunction:
    """A module as a function of sequences, with time on axis 1 of its input and output.

    Each call seeds the random streams, with the same seed unless another one is given.
    """

    def __init__(self, subject: Module, module: nn.Module, axis: int) -> None:
        self.subject, self.module, self.axis = subject, module, axis

    def __call__(self, sequence: Tensor, stream: int = STREAM) -> Tensor:
        """Return the output (batch, time, ...)."""
        seed_streams(stream)
        output = self.subject.call(self.module, sequence.movedim(1, self.axis))
        return output.movedim(self.axis, 1)

    def sequence(self, draw: Draw) -> Tensor:
        """Return the inputs of a draw (batch, time, ...)."""
        return self.subject.inputs(draw).movedim(self.axis, 1)

    @contextmanager
    def leaf(self, sequence: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Yield the argument of a call, and a list that holds the leaf of its gradient afterwards."""
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
    function: SequenceFunction, sequence: Tensor, boundaries: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """Yield (t, the largest gradient of outputs up to t at inputs after t), under a random cotangent."""
    with function.leaf(sequence) as (argument, leaves):
        output = function(argument)
    if not output.requires_grad:
        yield from ((boundary, 0.0) for boundary in boundaries)
        return
    for boundary in boundaries:
        earlier = output[:, : boundary + 1]
        cotangent = torch.randn(earlier.shape, dtype=earlier.dtype)
        (gradient,) = torch.autograd.grad(
            (earlier * cotangent).sum(), leaves, retain_graph=True, allow_unused=True
        )
        later = 0.0 if gradient is None else largest(gradient[:, boundary + 1 :])
        yield boundary, later


def altered_difference(
    function: SequenceFunction, sequence: Tensor, other: Tensor, boundary: int, output: Tensor
) -> float:
    """Return the largest change of outputs up to t if `other` replaces the inputs after t.

    `output` is the output of the unchanged `sequence`.
    """
    replaced = torch.cat((sequence[:, : boundary + 1], other[:, boundary + 1 :]), dim=1)
    return difference(output[:, : boundary + 1], function(replaced)[:, : boundary + 1])


def prefix_difference(
    function: SequenceFunction, sequence: Tensor, boundary: int, output: Tensor
) -> float | None:
    """Return the largest relative change of outputs up to t if the inputs after t are left out.

    None if the module raises on a sequence of this length. `output` is that of the whole `sequence`.
    """
    try:
        alone = function(sequence[:, : boundary + 1])
    # A module may refuse a length by any error.
    except FAILURES:
        return None
    before = output[:, : boundary + 1]
    return difference(before, alone) / (largest(before) or 1.0)


def live_parameters(function: SequenceFunction, sequence: Tensor) -> set[str]:
    """Return the names of the parameters with a nonzero gradient under a random cotangent."""
    output = function(sequence)
    named = {name: p for name, p in function.module.named_parameters() if p.requires_grad}
    if not output.requires_grad or not named:
        return set()
    scalar = (output * torch.randn(output.shape, dtype=output.dtype)).sum()
    gradients = torch.autograd.grad(scalar, list(named.values()), allow_unused=True)
    return {n for n, g in zip(named, gradients, strict=True) if g is not None and bool(g.any())}


def difference(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, infinite if shapes differ or only one side is NaN somewhere."""
    if a.shape != b.shape:
        return float("inf")
    if torch.equal(a, b):
        return 0.0
    gap = (a - b).abs()
    gap = torch.where(a.isnan() & b.isnan(), 0.0, gap)  # NaN on both sides is equal
    return largest(gap.nan_to_num(nan=float("inf")))


def largest(values: Tensor) -> float:
    """Return the largest magnitude: 0 for an empty tensor, infinite if a value is NaN."""
    if not values.numel():
        return 0.0
    return float(values.detach().abs().nan_to_num(nan=float("inf"), posinf=float("inf")).max())
