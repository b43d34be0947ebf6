"""The probe `learns-at-birth`: a new seed receives gradients and changes by training."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.parameters.gradients import backward, descend, gradients, live_count
from esper_audit.probes.measure.readings import Limit, Limits, Reading
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Blueprint, Draw

ALPHAS = (0.1, 1.0)
STEPS = 20
LEARNING_RATE = 0.1
# Twenty steps on a clear signal change the output of a learning seed by 1 % or more, rounding by 1e-7.
MIN_DEPARTURE = 1e-5
CLEAR_DEPARTURE = 1e-3  # beyond it no further step is needed
STEPS_AT_ONCE = 4


class LearnsAtBirth(Probe[Blueprint]):
    """A new seed receives gradients and changes by training.

    What: at every declared width, directly and under every declared blend, at least one parameter of the
    seed gets a nonzero gradient for a random cotangent. Steps of plain gradient descent, at most twenty,
    change the output of the seed.

    Why: a zero in the wrong place makes a seed the identity for ever. A zero convolution before a norm and a
    ReLU has a gradient of exactly zero: the seed trains, reports a loss, and never learns.

    Quiet: some parameters may have no gradient at birth, such as the first factor of a product whose second
    factor is zero. Changes of the parameters are not compared, since weight decay causes them too.

    Tickets: deep dive 1.1
    """

    contract = "learns-at-birth"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Blueprint
    columns = ("dim", "parameters", "gradient_ratio")
    limits: ClassVar[Limits] = {
        "live-parameters": Limit("at least", 1.0, "no parameter gets a gradient at birth"),
        "departure": Limit(
            "at least", MIN_DEPARTURE, "twenty steps did not change the output of the seed"
        ),
    }

    def measure(self, subject: Blueprint, state: str) -> Iterator[Reading]:
        """Compute gradients under each blend, then train."""
        for dim in subject.dims:
            inputs = subject.inputs(Draw(dim, batch=4))
            module = subject.at(state, dim).train()
            output = subject.call(module, inputs)
            stream = torch.get_rng_state()
            for (name, blend), alpha in product(subject.blends.items(), ALPHAS):
                torch.set_rng_state(stream)  # one cotangent for all blends
                live = _live(module, blend(inputs, output.clone(), inputs, torch.tensor(alpha)))
                witness: dict[str, Plain] = {"dim": dim, "blend": name, "alpha": alpha}
                yield Reading("live-parameters", float(live), witness)
            torch.set_rng_state(stream)
            alone = _live(module, output)
            plain: dict[str, Plain] = {"dim": dim, "blend": "straight through", **_gradient(module)}
            yield Reading("live-parameters", float(alone), plain)
            departed = _departure(subject, subject.at(state, dim).train(), inputs)
            yield Reading("departure", departed, {"dim": dim, "steps": STEPS})


def _live(module: nn.Module, output: Tensor) -> int:
    """Return the number of parameters with a nonzero gradient for a random cotangent."""
    if not output.requires_grad:
        return 0
    module.zero_grad(set_to_none=True)
    backward(output, torch.randn(output.shape), keep_graph=True)
    return live_count(module.parameters())


def _gradient(module: nn.Module) -> dict[str, Plain]:
    """Return the number of parameters, and their root mean square gradient for a cotangent of size 1."""
    numbers = sum(parameter.numel() for parameter in module.parameters())
    squares = sum(float(gradient.square().sum()) for gradient in gradients([module]))
    return {"parameters": numbers, "gradient_ratio": (squares / max(numbers, 1)) ** 0.5}


def _departure(subject: Blueprint, module: nn.Module, inputs: Tensor) -> float:
    """Return the relative change of the output after descent on the distance to a random target."""
    seed_streams(1)
    with torch.no_grad():
        initial = subject.call(module, inputs)
    target = torch.randn(inputs.shape)
    learning = [p for p in module.parameters() if p.requires_grad]
    departed = 0.0
    for step in range(STEPS if learning else 0):
        output = subject.call(module, inputs)
        if output.requires_grad:
            loss = (output - target).square().mean(dim=0).sum().sqrt()
            backward(loss)
            descend(learning, LEARNING_RATE)
        if (step + 1) % STEPS_AT_ONCE == 0:
            seed_streams(1)
            departed = _distance(subject, module, inputs, initial)
            if departed >= CLEAR_DEPARTURE:
                break
    return departed


def _distance(subject: Blueprint, module: nn.Module, inputs: Tensor, initial: Tensor) -> float:
    """Return the change of the output relative to the initial one, which may be zero."""
    with torch.no_grad():
        size = initial.norm().clamp_min(torch.finfo(initial.dtype).tiny)
        return float((subject.call(module, inputs) - initial).norm() / size)
