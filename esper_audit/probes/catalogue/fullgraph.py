"""The probe `fullgraph`: a forward compiles into one graph in every state, without recompilation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference, largest
from esper_audit.probes.measure.readings import Limit, Limits, Reading, control, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module

# (training, gradients, batch): every pair of values of two columns occurs in one of them. The first one is
# repeated at the end, after the others.
SETTINGS = ((True, True, 2), (True, False, 3), (False, True, 3), (False, False, 2), (True, True, 2))
# Some modules break at the second call only. State from the first call may cause a recompilation there.
CALLS = 3
ADVANCES = ((0, 0), (0, 1))  # (setting, call) after which the subject advances
# Relative, for single precision: the compiler may fuse operations that eager mode rounds one by one.
ROUNDING = 1e-5


class Fullgraph(Probe[Module]):
    """A forward compiles into one graph in every state, without recompilation.

    What: the probe runs the compiled module in train and eval mode, with and without gradients, for two
    batch sizes and repeated calls, with graph breaks as errors. A third call, or a call at an earlier
    setting, must not recompile, even after `advance`. The compiled output must equal the eager one up to
    rounding.

    Why: a graph break costs more than the graph gains, and dynamo breaks silently: at a print, an `.item()`,
    a branch on a value. A module with an attribute that counts calls, or with a schedule in a float, is
    compiled eight times and then runs in eager mode without a warning.

    Quiet: state from the first call, and a second batch size, may cause a second graph. Only tracing on a
    CPU is probed, without code generation. The probe is slow: it runs with `--probe fullgraph`, or if
    `probing.slow` is configured.

    Tickets: deep dive 3
    """

    contract = "compile"
    category = Category.TORCH_COMPILE
    severity = Severity.P2
    takes = Module
    is_slow = True
    limits: ClassVar[Limits] = {
        "break": must_be_zero("the graph breaks"),
        "recompiles": must_be_zero("a repeated call recompiled"),
        "differs": Limit("at most", ROUNDING, "the compiled output differs from the eager one"),
        "graphs": control("no graph was compiled, so the probe measured nothing"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Compile once, and run at every setting."""
        from esper_audit.probes.measure.compiler import Compiled, GraphBreak

        compiled, eager = (subject.at(state) for _ in range(2))
        function = Compiled(_bound(subject, compiled))
        calls, passed = (_bound(subject, eager), function), 0
        for number, setting in enumerate(SETTINGS):
            training, recording, batch = setting
            witness: dict[str, Plain] = {"training": training, "gradients": recording}
            for module in (compiled, eager):
                module.train(training)
            for call in range(CALLS):
                where = {**witness, "batch": batch, "call": call}
                inputs, before = subject.inputs(Draw(subject.dims[0], batch=batch)), function.graphs
                try:
                    expected, output = _outputs(calls, inputs, recording=recording)
                except GraphBreak as reason:
                    yield Reading("break", 1.0, {**where, "reason": f"{reason}"})
                    return
                yield Reading("break", 0.0)
                is_known = call == CALLS - 1 or setting in SETTINGS[:number]
                yield Reading("recompiles", float(is_known * (function.graphs - before)), where)
                gap = difference(expected, output) / (largest(expected) or 1.0)
                yield Reading("differs", gap, where)
                # A module that returns its own input has an empty graph.
                passed += output is inputs
                for module in (compiled, eager) if (number, call) in ADVANCES else ():
                    subject.advance(module)
        yield Reading("graphs", float(function.graphs + passed))


def _bound(subject: Module, module: Any) -> Callable[[Tensor], Tensor]:
    return lambda inputs: subject.call(module, inputs)


def _outputs(
    calls: Iterable[Callable[[Tensor], Tensor]], inputs: Tensor, *, recording: bool
) -> list[Tensor]:
    """Return the output of each call on the same inputs, under one random seed."""
    outputs = []
    with torch.set_grad_enabled(recording):
        for call in calls:
            seed_streams(0)
            outputs.append(call(inputs))
    return outputs
