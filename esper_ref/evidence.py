"""Evidence for the gates: the counterfactual, the trial of a new seed, the seed's health."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch import Tensor, nn

from esper_ref.errors import MetricError
from esper_ref.lifecycle import ShapeProbe, require_measurement

if TYPE_CHECKING:
    from collections.abc import Callable

Batch = TypeVar("Batch")

TRIAL_SPREAD = 0.2  # of the random parameters of a trial: large against rounding, small against inf
TRIAL_TOLERANCE = 1e-5  # other row counts may choose other kernels; a leak is larger by far
SAMPLED_VALUES = 1024  # of each input tensor are compared between two passes


class PassesDifferWarning(UserWarning):
    """The two passes of a counterfactual saw different data, so that their metrics do not compare."""


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
        """Take both measurements on the same batch and the same weights, in eval mode.

        An iterator, which the first pass would use up, raises `MetricError`. Other data may
        still differ between the passes, for instance by shuffling: then `PassesDifferWarning`.
        """
        if isinstance(batch, Iterator):
            raise MetricError(
                f"Counterfactual.measure: got a {type(batch).__name__}, which can be read only "
                "once, expected data for two passes. Pass a list or the DataLoader itself."
            )
        with evaluating(model):
            with _inputs_of(model) as first:
                actual = require_measurement(metric(model, batch), "the metric")
            with force_alpha(slot, 0.0), _inputs_of(model) as second:
                baseline = require_measurement(metric(model, batch), "the metric")
        _warn_if_different(first, second)
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
    the same object. An iterator is refused, and data that differ between the two passes are
    warned of (see `Counterfactual.measure`).
    """
    return Counterfactual.measure(model, slot, batch, metric).contribution


@contextmanager
def _inputs_of(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that takes a sample of every input of `model` inside the block.

    A compiled graph is left alone: the hook would become a part of it.
    """
    samples: list[Tensor] = []

    def note(_model: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if not torch.compiler.is_compiling():
            samples.extend(map(_sample, _tensors_in((args, kwargs))))

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield samples
    finally:
        handle.remove()


def _tensors_in(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors_in(item)


def _sample(tensor: Tensor) -> Tensor:
    """Return evenly spread values of a tensor, on its device: copying all would double it."""
    flat = tensor.detach().flatten()
    return flat[:: max(1, len(flat) // SAMPLED_VALUES)].clone()


def _warn_if_different(first: list[Tensor], second: list[Tensor]) -> None:
    same = len(first) == len(second) and all(map(_is_same, first, second))
    if not same:
        warnings.warn(
            "the second pass of a counterfactual saw other inputs (or in another order) than in "
            "the first pass; turn off shuffling and augmentation for the data of gates",
            PassesDifferWarning,
            stacklevel=3,
        )


def _is_same(a: Tensor, b: Tensor) -> bool:
    """Return whether two samples are equal, a NaN being equal to a NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool(((a == b) | ((a != a) & (b != b))).all())  # true of NaN alone, in every dtype


def probe_shape_of(seed: nn.Module, features: Tensor) -> ShapeProbe:
    """Run `seed` on `features` and return whether shape, dtype and device are kept.

    Runs in eval mode without gradients, so that neither running statistics nor the random stream
    are touched. What torch raises for misfitting shapes is an answer, not an accident.
    """
    shape = tuple(features.shape)
    if features.numel() == 0:
        return ShapeProbe(shape, f"features {shape} are empty: a seed cannot be tried on nothing")
    with evaluating(seed):
        try:
            out = seed(features)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            return ShapeProbe(shape, f"{type(error).__name__} on features {shape}: {error}")
    if not isinstance(out, Tensor):
        return ShapeProbe(shape, f"returned {type(out).__name__}, expected a tensor")
    kept = (tuple(out.shape), out.dtype, out.device) == (shape, features.dtype, features.device)
    if kept:
        return ShapeProbe(shape, None)
    wanted = f"{shape} {features.dtype} on {features.device}"
    return ShapeProbe(
        shape, f"got {tuple(out.shape)} {out.dtype} on {out.device}, expected {wanted}"
    )


def looks_ahead(seed: nn.Module, features: Tensor, axis: int) -> bool:
    """Return whether a position of a seed reads a later one, measured along `axis`.

    A copy is measured whose parameters are drawn at random: at birth the zeros that make a seed the
    identity hide what its branch reads. The random stream is left alone. One position alone cannot
    show it: then the answer is no.
    """
    last = features.shape[axis] - 1
    trial = copy.deepcopy(seed)
    with torch.random.fork_rng(devices=[]), evaluating(trial):
        generator = torch.Generator(device=features.device).manual_seed(0)
        for parameter in trial.parameters():
            parameter.normal_(std=TRIAL_SPREAD, generator=generator)
        before = torch.randn(
            features.shape, dtype=features.dtype, device=features.device, generator=generator
        )
        after = before.clone()
        after.select(axis, last).add_(1.0)
        one, two = (trial(x).narrow(axis, 0, last) for x in (before, after))
    return not torch.allclose(one, two, TRIAL_TOLERANCE, TRIAL_TOLERANCE, equal_nan=True)


def is_finite(*modules: nn.Module) -> bool:
    """Return whether every parameter and floating-point buffer is finite. Waits for the device."""
    tensors = [t for module in modules for t in (*module.parameters(), *module.buffers())]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
