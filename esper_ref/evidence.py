"""Evidence for the gates: the counterfactual, the trial of a new seed, the seed's health."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch import Tensor, nn

from esper_ref.lifecycle import ShapeProbe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Batch = TypeVar("Batch")


class AlphaHolder(Protocol):
    """What can be shown at another alpha than its own: a slot."""

    forced_alpha: float | None

    def override_alpha(self, alpha: float | None) -> None:
        """Show `alpha` instead of the stage's own.

        None shows the stage's own again.
        """


@contextmanager
def force_alpha(slot: AlphaHolder, alpha: float) -> Iterator[None]:
    """Show `slot` at `alpha` inside the block, and as it was after it, also on an error."""
    before = slot.forced_alpha
    slot.override_alpha(alpha)
    try:
        yield
    finally:
        slot.override_alpha(before)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` into eval mode without gradients, and each of its modules back after it."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


@dataclass(frozen=True)
class Counterfactual:
    """A metric with the seed as it is blended now, and with the seed silent."""

    actual: float
    baseline: float

    @property
    def contribution(self) -> float:
        """What the seed adds: metric(alpha now) minus metric(alpha = 0)."""
        return self.actual - self.baseline

    @classmethod
    def measure(
        cls,
        model: nn.Module,
        slot: AlphaHolder,
        batch: Batch,
        metric: Callable[[nn.Module, Batch], float],
    ) -> Counterfactual:
        """Take both measurements on the same batch and the same weights, in eval mode."""
        with evaluating(model):
            actual = metric(model, batch)
            with force_alpha(slot, 0.0):
                baseline = metric(model, batch)
        return cls(actual, baseline)


def counterfactual_contribution(
    model: nn.Module,
    slot: AlphaHolder,
    batch: Batch,
    metric: Callable[[nn.Module, Batch], float],
) -> float:
    """Return metric(alpha now) minus metric(alpha = 0) for the seed in `slot`.

    `metric(model, batch)` returns a number that is better when higher, in percent for the gates'
    thresholds to mean what they say. `batch` may be any number of batches; both measurements get
    the same object, so it must not be an iterator that runs dry.
    """
    return Counterfactual.measure(model, slot, batch, metric).contribution


def probe_shape_of(seed: nn.Module, features: Tensor) -> ShapeProbe:
    """Run `seed` on `features` and return whether shape, dtype and device are kept.

    Runs in eval mode without gradients, so that neither running statistics nor the random stream
    are touched. What torch raises for misfitting shapes is an answer, not an accident.
    """
    shape = tuple(features.shape)
    with evaluating(seed):
        try:
            out = seed(features)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            return ShapeProbe(shape, f"{type(error).__name__} on features {shape}: {error}")
    if not isinstance(out, Tensor):
        return ShapeProbe(shape, f"returned {type(out).__name__}, wanted a tensor")
    kept = (tuple(out.shape), out.dtype, out.device) == (shape, features.dtype, features.device)
    if kept:
        return ShapeProbe(shape, None)
    wanted = f"{shape} {features.dtype} on {features.device}"
    return ShapeProbe(shape, f"got {tuple(out.shape)} {out.dtype} on {out.device}, wanted {wanted}")


def is_finite(*modules: nn.Module) -> bool:
    """Return whether every parameter and floating-point buffer is finite. Waits for the device."""
    tensors = [t for module in modules for t in (*module.parameters(), *module.buffers())]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
