"""The dependence of outputs up to a position on the inputs after it, at several positions of a sequence.

A batch with rows for each of five positions takes little longer than one position. Where its rows mix, or the
module refuses a batch of that size, it decides nothing and the positions are measured one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import (
    SequenceFunction,
    altered_difference,
    later_gradients,
)


class CausalPositions:
    """Positions of a sequence.

    Without `is_stacked` they are never measured in one batch.
    """

    def __init__(
        self,
        function: SequenceFunction,
        sequence: Tensor,
        positions: Sequence[int],
        *,
        is_stacked: bool,
    ) -> None:
        self._function, self._sequence, self._positions = function, sequence, positions
        self._is_stacked, self._rows = is_stacked, sequence.shape[0]
        self._stacked_outputs: dict[bool, Tensor] = {}  # by whether gradients are recorded

    def later_gradients(self) -> Iterator[tuple[dict[str, Plain], float]]:
        """Yield the largest gradient of outputs up to a position at later inputs.

        The first value is the position, empty for zero at all of them.
        """
        if self._is_stacked and self._is_without_later_gradient():
            yield {}, 0.0
            return
        for at, later in later_gradients(self._function, self._sequence, self._positions):
            yield {"position": at}, later

    def altered_differences(
        self, other: Tensor, output: Tensor | None
    ) -> Iterator[tuple[dict[str, Plain], float]]:
        """Yield the largest change of outputs up to a position if `other` replaces the later inputs.

        The first value is as above. `output` is that of the sequence, None if it is not known.
        """
        if self._is_stacked and self._is_unaltered(other):
            yield {}, 0.0
            return
        before = self._function(self._sequence) if output is None else output
        for at in self._positions:
            gap = altered_difference(self._function, self._sequence, other, at, before)
            yield {"position": at}, gap

    def _is_unaltered(self, other: Tensor) -> bool:
        """Return whether no output up to a position changes, False if that could not be measured."""
        sequence = self._sequence
        replaced = [
            torch.cat((sequence[:, : t + 1], other[:, t + 1 :]), 1) for t in self._positions
        ]
        try:
            before = self._stacked_output()
            after = self._function(torch.cat(replaced))
        # A module may refuse a batch of another size by any error.
        except FAILURES:
            return False
        if after.shape != before.shape or not self._has_all_rows(before):
            return False
        parts = zip(self._positions, self._parts(before), self._parts(after), strict=True)
        return all(torch.equal(b[:, : t + 1], a[:, : t + 1]) for t, b, a in parts)

    def _is_without_later_gradient(self) -> bool:
        """Return whether no output up to a position has a later gradient, False if that is not known."""
        try:
            with self._function.leaf(self._stacked()) as (argument, leaves):
                output = self._function(argument)
            if not output.requires_grad:
                return True
            if not self._has_all_rows(output):
                return False
            cotangent = torch.randn(output.shape, dtype=output.dtype)
            for t, part in zip(self._positions, self._parts(cotangent), strict=True):
                part[:, t + 1 :] = 0.0
            (gradient,) = torch.autograd.grad((output * cotangent).sum(), leaves, allow_unused=True)
        # A module may refuse a batch of another size, in its forward or backward, by any error.
        except FAILURES:
            return False
        if gradient is None:
            return True
        parts = zip(self._positions, self._parts(gradient), strict=False)
        is_zero = not any(bool(part[:, t + 1 :].any()) for t, part in parts)
        return is_zero and self._has_all_rows(gradient)

    def _stacked_output(self) -> Tensor:
        recording = torch.is_grad_enabled()
        if recording not in self._stacked_outputs:
            self._stacked_outputs[recording] = self._function(self._stacked())
        return self._stacked_outputs[recording]

    def _stacked(self) -> Tensor:
        return torch.cat([self._sequence] * len(self._positions))

    def _parts(self, stacked: Tensor) -> tuple[Tensor, ...]:
        """Return the rows of each position."""
        return torch.split(stacked, self._rows)

    def _has_all_rows(self, stacked: Tensor) -> bool:
        return stacked.shape[0] == self._rows * len(self._positions)
