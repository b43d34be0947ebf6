"""Attribution: what each of several seeds adds, with the others there and in pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from esper_ref.errors import MetricError
from esper_ref.evidence import evaluating

if TYPE_CHECKING:
    from esper_ref.model import MorphogeneticModel

Targets = TypeVar("Targets")


@dataclass(frozen=True)
class Attribution:
    """A metric by which seeds were silent: none of them, one, or two at a time."""

    scores: dict[frozenset[str], float]

    @property
    def full(self) -> float:
        """The metric with every seed as it is blended now."""
        return self.scores[frozenset()]

    def contribution(self, slot_id: str) -> float:
        """Return what a seed adds while the others are there: leave one out."""
        return self.full - self.scores[frozenset({slot_id})]

    def interaction(self, a: str, b: str) -> float:
        """Return what two seeds add together beyond what each adds alone to the rest.

        It is 0 for independent seeds, and positive where one can replace the other: then each
        contribution by itself understates what the pair does.
        """
        pair = self.full - self.scores[frozenset({a, b})]
        return pair - self.contribution(a) - self.contribution(b)


def attribute(
    model: MorphogeneticModel,
    slots: Sequence[str],
    batches: Iterable[tuple[Tensor, Targets]],
    score: Callable[[Tensor, Targets], float],
) -> Attribution:
    """Measure seeds that are on trial together, in one pass over the data and in eval mode.

    `score(outputs, targets)` returns a sum over the samples of a batch, higher being better. The
    metric is its total over all batches, divided by the number of samples. Each batch runs once,
    with its rows repeated for each choice of silent seeds and an alpha for each row. So
    1 + n + n (n - 1) / 2 times the rows of a batch are in memory at once.
    """
    silent = _silent_sets(slots)
    totals, samples = [0.0] * len(silent), 0
    with evaluating(model):
        for inputs, targets in batches:
            with _rows_shown(model, slots, silent, len(inputs)):
                outputs = model(inputs.repeat(len(silent), *(1,) * (inputs.dim() - 1)))
            for i, part in enumerate(outputs.chunk(len(silent))):
                totals[i] += float(score(part, targets))
            samples += len(inputs)
    if samples == 0:
        raise MetricError("attribute: got no samples, expected at least one batch")
    return Attribution({s: total / samples for s, total in zip(silent, totals, strict=True)})


def _silent_sets(slots: Sequence[str]) -> list[frozenset[str]]:
    if not slots or len(set(slots)) < len(slots):
        raise MetricError(f"attribute: got slots {list(slots)}, expected some, each once")
    sizes = range(min(2, len(slots)) + 1)
    return [frozenset(chosen) for size in sizes for chosen in combinations(slots, size)]


@contextmanager
def _rows_shown(
    model: MorphogeneticModel, slots: Sequence[str], silent: list[frozenset[str]], rows: int
) -> Iterator[None]:
    """Show each slot at its own alpha, and at 0 in the rows in which it is silent."""
    with ExitStack() as stack:
        for slot_id in slots:
            slot = model.slot(slot_id)
            shown = torch.tensor([float(slot_id not in chosen) for chosen in silent])
            alphas = shown.repeat_interleave(rows).to(slot.alpha) * slot.alpha
            stack.enter_context(slot.alpha_by_row(alphas))
        yield
