"""The probe `learns-at-birth`: a newly born seed has a gradient, and leaves the identity by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.gradients import backward, descend, live_count
from esper_audit.probes.measure.readings import Limit, Limits, Reading
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import BlendFunction, Blueprint, Draw

ALPHAS = (0.1, 1.0)
STEPS = 20
LEARNING_RATE = 0.1
# Twenty steps on a clear signal move a seed that learns by a percent or more; rounding by 1e-7.
LEAST_DEPARTURE = 1e-5


class LearnsAtBirth(Probe[Blueprint]):
    """A newly born seed has a gradient, and leaves the identity by it.

    What: at every declared width, straight through and under every declared blend, some parameter of
    the seed gets a gradient that is not zero, for a random cotangent; and twenty steps of plain
    gradient descent change what the seed makes of its input.

    Why: a zero in the wrong place makes the identity for ever. A zero convolution before a norm and
    a ReLU has a gradient of exactly zero; the seed trains, reports a loss, and never learns.

    Quiet: some parameters may be dead at birth, as the first factor of a product whose second is
    zero. That parameters moved counts for nothing: weight decay moves them too.

    Tickets: deep dive 1.1
    """

    contract = "learns-at-birth"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Blueprint
    limits: ClassVar[Limits] = {
        "live-parameters": Limit("at least", 1.0, "no parameter gets a gradient at birth"),
        "departure": Limit(
            "at least", LEAST_DEPARTURE, "twenty steps left the seed's function as it was"
        ),
    }

    def measure(self, subject: Blueprint, state: str) -> Iterator[Reading]:
        """Take gradients under each blend, then train."""
        for dim in subject.dims:
            inputs = subject.inputs(Draw(dim, batch=4))
            for name, blend in subject.blends.items():
                for alpha in ALPHAS:
                    module = subject.at(state, dim).train()
                    live = _live(module, _blended(subject, module, blend, inputs, alpha))
                    witness: dict[str, Plain] = {"dim": dim, "blend": name, "alpha": alpha}
                    yield Reading("live-parameters", float(live), witness)
            module = subject.at(state, dim).train()
            alone = _live(module, subject.call(module, inputs))
            yield Reading(
                "live-parameters", float(alone), {"dim": dim, "blend": "straight through"}
            )
            departed = _departure(subject, subject.at(state, dim).train(), inputs)
            yield Reading("departure", departed, {"dim": dim, "steps": STEPS})


def _blended(
    subject: Blueprint, module: nn.Module, blend: BlendFunction, inputs: Tensor, alpha: float
) -> Tensor:
    output = subject.call(module, inputs)
    return blend(inputs, output, inputs, torch.tensor(alpha))


def _live(module: nn.Module, output: Tensor) -> int:
    """Return how many parameters get a gradient for a random cotangent."""
    if not output.requires_grad:
        return 0
    backward(output, torch.randn(output.shape))
    return live_count(module.parameters())


def _departure(subject: Blueprint, module: nn.Module, inputs: Tensor) -> float:
    """Return the relative change of the output after descent on the distance to a random target."""
    seed_streams(1)
    with torch.no_grad():
        born = subject.call(module, inputs)
    target = torch.randn(inputs.shape)
    learning = [p for p in module.parameters() if p.requires_grad]
    for _ in range(STEPS if learning else 0):
        output = subject.call(module, inputs)
        if output.requires_grad:
            loss = (output - target).square().mean(dim=0).sum().sqrt()
            backward(loss)
            descend(learning, LEARNING_RATE)
    seed_streams(1)
    with torch.no_grad():
        size = born.norm().clamp_min(torch.finfo(born.dtype).tiny)  # a seed may be born silent
        return float((subject.call(module, inputs) - born).norm() / size)
