"""The probe `seed-input-isolation`: the host gets gradients from the direct path of a blend only."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference, largest
from esper_audit.probes.measure.parameters.gradients import backward, gradients
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Blend, Draw

DRAWS = (1, 0)  # birth last, because a seed that is the identity hides an overwritten host
# Relative, for float64: the same sum in another order.
ROUNDING = 1e-12
COUPLED = "the host's gradient differs from that of the direct path, so the seed affects it"


class SeedInputIsolation(Probe[Blend]):
    """The host gets gradients from the direct path of a blend only.

    What: the probe compares the gradient of every host parameter with that of the declared direct path, in
    which the seed's output is detached. Outputs and buffers of the host must agree too. The operator must
    require its `seed_input`. It runs in train and eval mode, in both memory formats, at birth and with
    parameters drawn anew.

    Why: the residual `seed - host` couples host and seed again in spite of a detached input. Tests of shapes
    and values do not detect it, and neither does detaching the seed's output.

    Quiet: do not promise it for a policy that couples host and seed on purpose.

    Tickets: B2-DRL-10
    """

    contract = "required-seed-input"
    category = Category.API_CONTRACT
    severity = Severity.P1
    takes = Blend
    limits: ClassVar[Limits] = {
        "default": must_be_zero("the required parameter of the operator has a default"),
        "omitted": must_be_zero("the operator ran without its required parameter"),
        "overwritten": must_be_zero("the blend overwrote the host's features in place"),
        "host-gradient": Limit("at most", ROUNDING, COUPLED),
        "output": Limit(
            "at most", ROUNDING, "the output differs from that of the declared direct path"
        ),
        "host-state": must_be_zero("the buffers of the host change differently without the seed"),
        "second-step": must_be_zero("a second forward and backward raised, so a graph was kept"),
        "seed-gradient": Limit("at least", 1.0, "no parameter of the seed gets a gradient"),
    }

    def measure(self, subject: Blend, state: str) -> Iterator[Reading]:
        """Check the operator's signature, then sweep modes, layouts and draws."""
        if subject.operator is not None:
            yield from _required(subject, subject.operator)
        inputs = subject.inputs(Draw(subject.dims[0], dtype=torch.float64))
        layouts = _Trial(subject, state, DRAWS[0], training=True).layouts(inputs)
        for draw, training, channels_last in product(DRAWS, (True, False), layouts):
            witness: dict[str, Plain] = {
                "draw": draw,
                "training": training,
                "channels_last": channels_last,
            }
            yield from _isolated(_Trial(subject, state, draw, training), inputs, witness)


class _Trial:
    """One draw and mode, under which each call of `build` builds an equal module."""

    def __init__(self, subject: Blend, state: str, draw: int, training: bool) -> None:
        self.subject, self.state, self.draw, self.training = subject, state, draw, training

    def build(self) -> nn.Module:
        module: nn.Module = self.subject.at(self.state).double()
        redraw(module, self.draw)
        return module.train(self.training)

    def features(self, module: nn.Module, inputs: Tensor, *, channels_last: bool) -> Tensor:
        seed_streams(1)
        features = self.subject.features(module, inputs)
        if channels_last and features.dim() == 4:
            return features.to(memory_format=torch.channels_last)
        return features

    def layouts(self, inputs: Tensor) -> tuple[bool, ...]:
        """Return whether the last axis is that of channels, in each layout that the features have."""
        is_picture = self.features(self.build(), inputs, channels_last=False).dim() == 4
        return (False, True) if is_picture else (False,)

    def host_buffers(self, module: nn.Module) -> list[Tensor]:
        return [b for part in self.subject.host(module) for b in part.buffers()]


def _required(subject: Blend, operator: Callable[..., object]) -> Iterator[Reading]:
    parameters = inspect.signature(operator).parameters
    required = parameters.get(subject.required)
    is_optional = required is None or required.default is not inspect.Parameter.empty
    yield Reading("default", float(is_optional), {"parameter": subject.required})
    if subject.omitting is not None:
        try:
            subject.omitting(operator)
        except TypeError:
            yield Reading("omitted", 0.0)
        else:
            yield Reading("omitted", 1.0, {"parameter": subject.required})


def _isolated(trial: _Trial, inputs: Tensor, witness: dict[str, Plain]) -> Iterator[Reading]:
    """Compare a blend with its direct path, and the host with the host alone."""
    channels_last = bool(witness["channels_last"])
    blended, still = trial.build(), trial.build()
    features = trial.features(blended, inputs, channels_last=channels_last)
    before = features.detach().clone()
    output = trial.subject.blend(blended, features)
    yield Reading("overwritten", difference(before, features), witness)
    alone = trial.features(still, inputs, channels_last=channels_last)
    buffers = [
        buffer.clone() for buffer in trial.host_buffers(still)
    ]  # of the host without a blend
    expected = trial.subject.direct(still, alone)
    yield Reading("output", difference(expected, output) / (largest(expected) or 1.0), witness)
    pairs = zip(buffers, trial.host_buffers(blended), strict=True)
    yield Reading("host-state", max((difference(a, b) for a, b in pairs), default=0.0), witness)
    cotangent = torch.randn(output.shape, dtype=output.dtype)
    backward(expected, cotangent)
    backward(output, cotangent)
    yield Reading("host-gradient", _gap(trial, still, blended), witness)
    seeds = [p for part in trial.subject.seed(blended) for p in part.parameters()]
    if seeds:
        live = sum(p.grad is not None and bool(p.grad.any()) for p in seeds)
        yield Reading("seed-gradient", float(live), witness)
    again = trial.features(blended, inputs, channels_last=channels_last)
    yield Reading("second-step", _raises(trial.subject, blended, again), witness)


def _gap(trial: _Trial, still: nn.Module, blended: nn.Module) -> float:
    """Return the largest difference of a host gradient, relative to the largest host gradient.

    Its own size would be no measure, since the gradient of a bias before a norm is pure rounding.
    """
    expected, found = (gradients(trial.subject.host(module)) for module in (still, blended))
    size = max(map(largest, expected), default=0.0) or 1.0
    gaps = (difference(a, b) for a, b in zip(expected, found, strict=True))
    return max(gaps, default=0.0) / size


def _raises(subject: Blend, module: nn.Module, features: Tensor) -> float:
    try:
        backward(subject.blend(module, features))
    except RuntimeError:
        return 1.0
    return 0.0
