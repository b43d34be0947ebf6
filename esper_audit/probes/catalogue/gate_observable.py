"""The probe `gate-observable`: what a learned gate does can be seen, and the gate learns."""

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
from esper_audit.probes.measure.gradients import backward, live_count
from esper_audit.probes.measure.output_dependency import difference
from esper_audit.probes.measure.parameters import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import ObservedGate
from esper_audit.probes.subject.subject import Draw

STATISTICS = ("mean", "std", "min", "max")
# Of single precision, over a batch of values in (0, 1).
ROUNDING = 1e-5


class GateObservable(Probe[ObservedGate]):
    """What a learned gate does can be seen, and the gate learns.

    What: after a forward the statistics (mean, std, min, max) are there, are detached, agree with the gate
    computed once more, and follow other inputs; reading them changes no output. The gate's parameters are
    among those that the owner optimises and get a gradient. The module can be copied and pickled.

    Why: alpha is what a policy chooses, the gate is what the seed learned; whoever sees alpha alone gives the
    credit to the wrong one. A gate outside the optimiser stays where it was born, at a half.

    Quiet: `std` may be that of the values or the estimate with n - 1.

    Tickets: deep dive 2
    """

    contract = "gate-observable"
    category = Category.API_CONTRACT
    severity = Severity.P2
    takes = ObservedGate
    limits: ClassVar[Limits] = {
        "missing": must_be_zero("statistics are missing after a forward"),
        "attached": must_be_zero("statistics hold on to the graph"),
        "disagrees": Limit("at most", ROUNDING, "statistics are not those of the gate"),
        "stale": must_be_zero("statistics do not follow the inputs"),
        "disturbs": must_be_zero("reading the statistics changes the output"),
        "out-of-reach": must_be_zero("parameters of the gate are not optimised"),
        "dead": must_be_zero("no parameter of the gate gets a gradient"),
        "uncopyable": must_be_zero("the module cannot be copied or pickled"),
    }

    def measure(self, subject: ObservedGate, state: str) -> Iterator[Reading]:
        """Look at the gate over two forwards, then at its parameters and its copies."""
        module, unread = (_module(subject, state) for _ in range(2))
        told = []
        for seed in (0, 1):
            inputs = subject.inputs(Draw(subject.dims[0], seed=seed))
            output = subject.call(module, inputs)
            statistics = subject.statistics(module)
            missing = [name for name in STATISTICS if statistics is None or name not in statistics]
            yield Reading("missing", float(len(missing)))
            if statistics is None or missing:
                return
            yield Reading("attached", float(sum(map(_is_attached, statistics.values()))))
            told.append({name: float(statistics[name]) for name in STATISTICS})
            yield from _agreement(told[-1], subject.gate(module, inputs).detach().double())
            gap = difference(output, subject.call(unread, inputs))
            yield Reading("disturbs", gap)
        yield Reading("stale", float(told[0] == told[1]))
        yield from _learning(subject, module)
        yield Reading("uncopyable", *_copied(module))


def _module(subject: ObservedGate, state: str) -> nn.Module:
    module: nn.Module = subject.at(state).train()
    redraw(module, 2)
    return module


def _is_attached(value: Tensor | float) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _agreement(told: dict[str, float], gate: Tensor) -> Iterator[Reading]:
    spreads = [float(gate.std(correction=0)), float(gate.std())]
    true = {"mean": gate.mean(), "min": gate.min(), "max": gate.max()}
    for name, value in true.items():
        yield Reading("disagrees", abs(told[name] - float(value)), {"statistic": name})
    gaps = [abs(told["std"] - s) for s in spreads if not math.isnan(s)]
    yield Reading("disagrees", min(gaps), {"statistic": "std"})


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
        # Whatever a lock, a thread-local or a graph says to being copied is the finding.
        except FAILURES as error:
            return 1.0, {"way": way.__name__.strip("_"), "error": f"{error}"}
    return 0.0, {}


def _pickled(module: nn.Module) -> object:
    return pickle.loads(pickle.dumps(module))  # noqa: S301  # what we pickled ourselves, right here
