"""The probe `gate-observable`: a learned gate reports its statistics and receives gradients."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.dependence.output_dependency import difference
from esper_audit.probes.measure.parameters.gradients import backward, live_count
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import ObservedGate
from esper_audit.probes.subject.subject import Draw

STATISTICS = ("mean", "std", "min", "max")
# For single precision, over a batch of values in (0, 1).
ROUNDING = 1e-5


class GateObservable(Probe[ObservedGate]):
    """A learned gate reports its statistics and receives gradients.

    What: after a forward the module reports mean, std, min and max of its gate. They are detached, equal
    those of a second computation of the gate, and change with the inputs. Reading them changes no output.
    The parameters of the gate are optimised and receive a gradient. The module can be copied and pickled.

    Why: a policy chooses alpha, but the seed learns the gate. Telemetry of alpha alone attributes the
    effect of the gate to alpha. A gate that is not optimised stays at its initial value of one half.

    Quiet: `std` may have the divisor n or n - 1.

    Tickets: deep dive 2
    """

    contract = "gate-observable"
    category = Category.API_CONTRACT
    severity = Severity.P2
    takes = ObservedGate
    limits: ClassVar[Limits] = {
        "missing": must_be_zero("statistics are missing after a forward"),
        "attached": must_be_zero("statistics are attached to the autograd graph"),
        "disagrees": Limit("at most", ROUNDING, "statistics differ from those of the gate"),
        "stale": must_be_zero("statistics do not change with the inputs"),
        "disturbs": must_be_zero("reading the statistics changes the output"),
        "out-of-reach": must_be_zero("parameters of the gate are not optimised"),
        "dead": must_be_zero("no parameter of the gate receives a gradient"),
        "uncopyable": must_be_zero("the module cannot be copied or pickled"),
    }

    def measure(self, subject: ObservedGate, state: str) -> Iterator[Reading]:
        """Read the gate after two forwards, then check its parameters and copies."""
        module, unread = (_module(subject, state) for _ in range(2))
        reported: list[dict[str, float]] = []
        for seed in (0, 1):
            inputs = subject.inputs(Draw(subject.dims[0], seed=seed))
            output = subject.call(module, inputs)
            statistics = subject.statistics(module) or {}
            present = {name: statistics[name] for name in STATISTICS if name in statistics}
            yield Reading("missing", float(len(STATISTICS) - len(present)))
            yield Reading("attached", float(sum(map(_is_attached, statistics.values()))))
            reported.append({name: float(value) for name, value in present.items()})
            yield from _agreement(reported[-1], subject.gate(module, inputs).detach().double())
            yield Reading("disturbs", difference(output, subject.call(unread, inputs)))
        if any(reported):
            yield Reading("stale", float(reported[0] == reported[1]))
        yield from _learning(subject, module)
        yield Reading("uncopyable", *_copied(module))


def _module(subject: ObservedGate, state: str) -> nn.Module:
    module: nn.Module = subject.at(state).train()
    redraw(module, 2)
    return module


def _is_attached(value: Tensor | float) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _agreement(reported: dict[str, float], gate: Tensor) -> Iterator[Reading]:
    """Yield how far each reported statistic is from the gate's own."""
    expected = {
        "mean": [gate.mean()],
        "std": [gate.std(correction=0), gate.std()],
        "min": [gate.min()],
        "max": [gate.max()],
    }
    for name, value in reported.items():
        gaps = [abs(value - float(one)) for one in expected[name] if not math.isnan(one)]
        yield Reading("disagrees", min(gaps), {"statistic": name})


def _learning(subject: ObservedGate, module: nn.Module) -> Iterator[Reading]:
    gate = list(subject.gate_parameters(module))
    learning = {id(p) for p in subject.learning(module)}
    yield Reading("out-of-reach", float(sum(id(p) not in learning for p in gate)))
    output = subject.call(module, subject.inputs(Draw(subject.dims[0])))
    if output.requires_grad:
        backward(output, torch.randn(output.shape))
    yield Reading("dead", float(not live_count(gate)))


def _copied(module: nn.Module) -> tuple[float, dict[str, str | int | float | bool]]:
    module.zero_grad(set_to_none=True)
    for way in (copy.deepcopy, _pickled):
        try:
            way(module)
        # A lock, a thread-local or a graph may refuse to be copied by any error.
        except FAILURES as error:
            return 1.0, {"way": way.__name__.strip("_"), "error": f"{error}"}
    return 0.0, {}


def _pickled(module: nn.Module) -> object:
    return pickle.loads(pickle.dumps(module))  # noqa: S301  # what we pickled ourselves, right here
