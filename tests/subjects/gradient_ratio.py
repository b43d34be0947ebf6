"""The corpus of the probe `gradient-ratio`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from subjects.cases import Case, broken, sound

from esper_audit.subject import PlainValue, Ratio, promise

Norm = float | None


def guarded(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    if seed is None or host is None or not math.isfinite(seed) or not math.isfinite(host):
        return None
    if host < 1e-8 or seed_params == 0:
        return 0.0
    return min(10.0, seed / host * math.sqrt(host_params / seed_params))


def saturating(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    """seed / (seed + host), in [0, 1), if both are measured."""
    measured = guarded(seed, host, seed_params, host_params)
    return None if measured is None else measured / (1.0 + measured)


def with_tensors(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    if seed is None or host is None or seed_params == 0:
        return None
    ratio = torch.tensor(seed, dtype=torch.float64) / host if host > 1e-8 else torch.tensor(0.0)
    usable = math.isfinite(seed) and math.isfinite(host)
    return float(ratio.clamp(0.0, 10.0)) if usable else 0.0


def unguarded(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    return None if seed is None or host is None else min(10.0, seed / host) if seed_params else 0.0


def with_a_tiny_epsilon(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    if seed is None or host is None or not math.isfinite(seed) or not math.isfinite(host):
        return None
    return seed / (host + 1e-12)


def clamped_behind_an_epsilon(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    ratio = with_a_tiny_epsilon(seed, host, seed_params, host_params)
    return None if ratio is None else min(10.0, ratio)


def guarded_at_zero_alone(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    """Treats a host norm of 1e-30 as usual."""
    return 0.0 if host == 0.0 else clamped_behind_an_epsilon(seed, host, seed_params, host_params)


def clamped_before_the_nan(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    """min(10.0, nan) is 10.0."""
    if seed is None or host is None or host < 1e-8:
        return None
    return min(10.0, max(0.0, seed / host)) if seed_params else 0.0


def passing_nan_on(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    if seed is None or host is None or host < 1e-8:
        return None
    return max(min(seed / host, 10.0), 0.0) if seed_params else 0.0


def dividing_by_no_parameters(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    ratio = guarded(seed, host, 1, 1)
    return None if ratio is None else min(10.0, ratio * math.sqrt(host_params / seed_params))


def not_taking_none(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    return guarded(float(seed), float(host), seed_params, host_params)  # type: ignore[arg-type]


def upside_down(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    ratio = guarded(seed, host, seed_params, host_params)
    return 10.0 - ratio if ratio else ratio


def with_a_floor(seed: Norm, host: Norm, seed_params: int, host_params: int) -> Norm:
    """Never less than a tenth, to allow a logarithm: a dead seed looks like a weak one."""
    ratio = guarded(seed, host, seed_params, host_params)
    return None if ratio is None or (host is not None and host < 1e-8) else max(0.1, ratio)


def cases() -> Iterator[Case]:
    yield sound(_ratio(guarded))
    yield sound(_ratio(saturating, bound=1.0))
    yield sound(_ratio(with_tensors))
    yield broken(_ratio(saturating, "over-a-lower-bound", bound=0.5), "out-of-bounds")
    yield broken(_ratio(unguarded), "raises nan-reads-well dead-host-reads-well")
    astronomical = "out-of-bounds dead-host-reads-well"
    yield broken(_ratio(with_a_tiny_epsilon), astronomical)
    yield broken(_ratio(clamped_behind_an_epsilon), "dead-host-reads-well")
    yield broken(_ratio(guarded_at_zero_alone), "dead-host-reads-well")
    yield broken(_ratio(clamped_before_the_nan), "nan-reads-well")
    yield broken(_ratio(passing_nan_on), "not-finite nan-reads-well")
    yield broken(_ratio(dividing_by_no_parameters), "raises")
    yield broken(_ratio(not_taking_none), "raises")
    yield broken(_ratio(upside_down), "not-monotone")
    yield broken(_ratio(with_a_floor), "dead-seed-reads-well")


def _ratio(function: Callable[..., Norm], name: str = "", **parameters: PlainValue) -> Ratio:
    return Ratio(
        name=name or function.__name__,
        build=lambda: function,
        call=lambda built, seed, host, own, others: built(seed, host, own, others),
        promises=[promise("gradient-ratio", **parameters)],
    )
