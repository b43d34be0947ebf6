"""How strongly a seed learns beside its host: norms, their running averages and their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from esper_ref.strict import flag, mapping, number, read, require_keys, share, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EMA_FIELDS = {"beta": share, "average": number, "weight": share, "latest_is_finite": flag}
HOST_NORM_EPSILON = 1e-8  # below this the host has no gradient to compare with
RATIO_CEILING = 10.0
EMA_BETA = 0.9


class GradientRatioNormalization(StrEnum):
    """How seed and host of different size are made comparable.

    SQRT_PARAMS: L2 norms and sqrt(host_params / seed_params). The default; assumes equal gradient
    per parameter. MEAN_ABS: sum |g| / n on both sides. PER_LAYER_TYPE: SQRT_PARAMS within the
    families Linear, Conv, Norm and other, combined by the mean weighted with the seed's
    parameters in each; a family that the host lacks is compared with the whole host.
    """

    SQRT_PARAMS = "sqrt_params"
    MEAN_ABS = "mean_abs"
    PER_LAYER_TYPE = "per_layer_type"


def gradient_ratio(
    seed_norm: float | None,
    host_norm: float | None,
    seed_params: int,
    host_params: int,
    *,
    normalization: GradientRatioNormalization = GradientRatioNormalization.SQRT_PARAMS,
) -> float | None:
    """Return clamp((seed_norm / host_norm) sqrt(host_params / seed_params), 0, 10).

    None means unmeasured: no gradient was taken yet, or a norm is not finite. (Clamping first
    would read a NaN as 10, the best ratio there is.) 0 means that there is nothing to compare
    with (a host norm below 1e-8) or nothing that learns (a seed without parameters).

    The square root assumes that gradients have the same size per parameter on both sides, for
    then an L2 norm grows with the root of the count. Architectures differ in this: an attention
    and an MLP of one size do not agree. It is a known limitation. Under MEAN_ABS the norms are
    L1 and the factor is host_params / seed_params itself.
    """
    if seed_norm is None or host_norm is None:
        return None
    if not (math.isfinite(seed_norm) and math.isfinite(host_norm)):
        return None
    if host_norm < HOST_NORM_EPSILON or seed_params == 0:
        return 0.0
    size = host_params / seed_params
    by_mean = normalization is GradientRatioNormalization.MEAN_ABS
    ratio = (seed_norm / host_norm) * (size if by_mean else math.sqrt(size))
    return min(RATIO_CEILING, ratio)


class BiasCorrectedEMA:
    """The running average avg_n / (1 - beta^n), where avg_n = beta avg_{n-1} + (1 - beta) x_n.

    Kept in the form that needs no division at the end and is exact for the first sample: with
    w_n = 1 - beta^n the corrected average moves by (1 - beta) / w_n of the way to the sample.
    A sample that is not finite leaves the average alone and is remembered until the next one.
    Samples may be tensors on any device; nothing waits for them until `value` is asked for.
    """

    def __init__(self, beta: float = EMA_BETA) -> None:
        self.beta = beta
        self.average = torch.zeros((), dtype=torch.float64)
        self.weight = torch.zeros((), dtype=torch.float64)  # 1 - beta^n
        self.latest_is_finite = torch.ones((), dtype=torch.bool)

    def update(self, sample: float | Tensor) -> None:
        """Take one sample into the average."""
        x = torch.as_tensor(sample, dtype=torch.float64).detach()
        average, weight = self.average.to(x.device), self.weight.to(x.device)
        finite = torch.isfinite(x)
        heavier = self.beta * weight + (1.0 - self.beta)
        moved = average + (1.0 - self.beta) / heavier * (x - average)
        self.average = torch.where(finite, moved, average)
        self.weight = torch.where(finite, heavier, weight)
        self.latest_is_finite = finite

    @property
    def value(self) -> float | None:
        """The corrected average.

        It is None before the first sample, and NaN after a sample that is not finite.
        """
        if not self.latest_is_finite.item():
            return math.nan
        return self.average.item() if self.weight.item() > 0.0 else None

    def to_dict(self) -> dict[str, float | bool]:
        """Return the state as plain numbers."""
        return {
            "beta": self.beta,
            "average": self.average.item(),
            "weight": self.weight.item(),
            "latest_is_finite": bool(self.latest_is_finite.item()),
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> BiasCorrectedEMA:
        """Return the average that `to_dict` wrote. Another key or a wrong value is an error."""
        ema = cls()
        require_keys("BiasCorrectedEMA", d, ema.to_dict())
        for name, parse in EMA_FIELDS.items():
            read("BiasCorrectedEMA", d, name, parse)
        ema.beta = float(d["beta"])
        ema.average = torch.tensor(d["average"], dtype=torch.float64)
        ema.weight = torch.tensor(d["weight"], dtype=torch.float64)
        ema.latest_is_finite = torch.tensor(d["latest_is_finite"], dtype=torch.bool)
        return ema


# In this order: the first family whose types match takes the layer.
LAYER_FAMILIES: dict[str, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear,),
    "conv": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "norm": (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
}
OTHER_FAMILY = "other"
WHOLE = "whole"
FAMILIES = (*LAYER_FAMILIES, OTHER_FAMILY, WHOLE)

Groups = dict[str, list[nn.Parameter]]


def parameter_families(*modules: nn.Module) -> Groups:
    """Return the parameters by the kind of layer that owns them.

    A shared parameter is counted once.
    """
    seen: set[int] = set()
    groups: Groups = {}
    for layer in (layer for module in modules for layer in module.modules()):
        for parameter in layer.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                groups.setdefault(_family(layer), []).append(parameter)
    return groups


def _family(layer: nn.Module) -> str:
    for family, types in LAYER_FAMILIES.items():
        if isinstance(layer, types):
            return family
    return OTHER_FAMILY


def gradient_norm(parameters: Iterable[nn.Parameter], order: float) -> Tensor | None:
    """Return the norm of all gradients together, on the device, or None if there is none.

    `get_total_norm` groups by device and dtype itself. Half precision is widened first: a norm
    has the dtype of its gradients, and float16 overflows at 65,504.
    """
    gradients = [_wide(p.grad) for p in parameters if p.grad is not None]
    return get_total_norm(gradients, norm_type=order) if gradients else None


def _wide(gradient: Tensor) -> Tensor:
    return gradient.to(torch.promote_types(gradient.dtype, torch.float32))


@dataclass
class RunningNorm:
    """The running gradient norm of some parameters, and how many they are."""

    norm: BiasCorrectedEMA
    count: int = 0

    def observe(self, parameters: list[nn.Parameter], order: float) -> None:
        """Take the gradients that are there.

        Parameters without a gradient leave the average alone.
        """
        self.count = sum(p.numel() for p in parameters)
        norm = gradient_norm(parameters, order)
        if norm is not None:
            self.norm.update(norm)


class GradientHealthMonitor:
    """Watches the gradients of a seed and its host, step by step.

    Call `observe` between `backward` and the optimiser's step. The ratio is that of the running
    averages; `ratio()` is where the host waits for the device.
    """

    def __init__(
        self,
        normalization: GradientRatioNormalization = GradientRatioNormalization.SQRT_PARAMS,
        beta: float = EMA_BETA,
    ) -> None:
        self.normalization = normalization
        self.beta = beta
        self.seed: dict[str, RunningNorm] = {}
        self.host: dict[str, RunningNorm] = {}

    def observe(self, host: nn.Module, *seed: nn.Module) -> None:
        """Take the gradients that the last backward left on `host` and on the parts of the seed."""
        self._observe(self.host, parameter_families(host))
        self._observe(self.seed, parameter_families(*seed))

    def _observe(self, sides: dict[str, RunningNorm], groups: Groups) -> None:
        whole: Groups = {WHOLE: [p for group in groups.values() for p in group]}
        if self.normalization is GradientRatioNormalization.PER_LAYER_TYPE:
            whole |= groups
        order = 1.0 if self.normalization is GradientRatioNormalization.MEAN_ABS else 2.0
        for family, parameters in whole.items():
            if family not in sides:
                sides[family] = RunningNorm(BiasCorrectedEMA(self.beta))
            sides[family].observe(parameters, order)

    def ratio(self) -> float | None:
        """Return the ratio in [0, 10], or None if it cannot be told (see `gradient_ratio`)."""
        if not self.seed:
            return None
        if self.seed[WHOLE].count == 0:
            return 0.0
        if self.normalization is not GradientRatioNormalization.PER_LAYER_TYPE:
            return self._ratio(WHOLE)
        ratios = {family: self._ratio(family) for family in self.seed if family != WHOLE}
        weighted = [r * self.seed[f].count for f, r in ratios.items() if r is not None]
        if len(weighted) < len(ratios):
            return None
        return sum(weighted) / self.seed[WHOLE].count

    def _ratio(self, family: str) -> float | None:
        seed, host = self.seed[family], self.host[family if family in self.host else WHOLE]
        seed_norm, host_norm = seed.norm.value, host.norm.value
        if host_norm is None and seed_norm is not None:
            host_norm = 0.0  # a frozen host: the seed was measured and has nothing beside it
        return gradient_ratio(
            seed_norm, host_norm, seed.count, host.count, normalization=self.normalization
        )

    @property
    def has_observed(self) -> bool:
        """Return whether `observe` was called at all."""
        return bool(self.seed)

    @property
    def gradients_are_finite(self) -> bool | None:
        """Whether the seed's latest gradients were finite.

        It is None before the first `observe`.
        """
        if not self.seed or self.seed[WHOLE].norm.value is None:
            return None
        return bool(self.seed[WHOLE].norm.latest_is_finite.item())

    def to_dict(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the running norms in plain types.

        Normalisation and beta belong to the slot.
        """
        return {
            side: {name: {"count": n.count, **n.norm.to_dict()} for name, n in norms.items()}
            for side, norms in (("seed", self.seed), ("host", self.host))
        }

    def load_dict(self, d: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
        """Take over what `to_dict` wrote. Another key or a wrong value is an error."""
        require_keys("GradientHealthMonitor", d, ("seed", "host"))
        for side in ("seed", "host"):
            norms = read("GradientHealthMonitor", d, side, mapping)
            known = [family for family in FAMILIES if family in norms]
            require_keys(f"GradientHealthMonitor {side}", norms, known)
        if d["seed"] or d["host"]:  # whatever was observed was observed as a whole, on both sides
            for side in ("seed", "host"):
                require_keys(f"GradientHealthMonitor {side}", {WHOLE} & set(d[side]), (WHOLE,))
        self.seed, self.host = _norms_from_dict(d["seed"]), _norms_from_dict(d["host"])


def _norms_from_dict(d: Mapping[str, object]) -> dict[str, RunningNorm]:
    norms = {}
    for name in d:
        where, entry = f"GradientHealthMonitor {name}", dict(read("monitor", d, name, mapping))
        require_keys(where, {"count"} & set(entry), ("count",))
        count = read(where, entry, "count", whole)
        del entry["count"]
        norms[name] = RunningNorm(BiasCorrectedEMA.from_dict(entry), count)
    return norms
