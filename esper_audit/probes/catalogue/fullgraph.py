"""The probe `fullgraph`: a forward compiles into one graph in every state, and stays compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.compiler import Compiled, GraphBreak
from esper_audit.probes.measure.output_dependency import difference, largest
from esper_audit.probes.measure.readings import Limit, Limits, Reading, control, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module

# (training, gradients, batch): any two of a mode, gradients or none and a batch size meet in one of them.
# The first comes back at the end, when the others have been there.
SETTINGS = ((True, True, 2), (True, False, 3), (False, True, 3), (False, False, 2), (True, True, 2))
# Some break at the second call only. What is kept from the first may compile once more there, not later.
CALLS = 3
LIFE = ((0, 0), (0, 1))  # (setting, call) after which the module's life goes on
# Of single precision: the compiler may join operations that were rounded one by one.
ROUNDING = 1e-5


class Fullgraph(Probe[Module]):
    """A forward compiles into one graph in every state, and stays compiled.

    What: in train and in eval mode, with gradients and without, for two batch sizes, each met with each of
    the others, and for repeated calls, dynamo is told to refuse any graph break; a third call, or one
    as before all the others, must not compile anew, not even after the module's life went on (`advance`);
    and the compiled output must agree with the eager one.

    Why: a break costs more than the graph gains, and dynamo breaks without a word: at a print, an
    `.item()`, a branch on a value. An attribute that counts calls, or a schedule kept in a float,
    compiles eight times and then silently never again.

    Quiet: what the first call keeps may compile a second graph, and so may a second batch size. Only
    the tracing is probed, on a CPU: no kernels are generated.

    Tickets: deep dive 3
    """

    contract = "compile"
    category = Category.TORCH_COMPILE
    severity = Severity.P2
    takes = Module
    limits: ClassVar[Limits] = {
        "break": must_be_zero("the graph breaks"),
        "recompiles": must_be_zero("a repeated call compiled anew"),
        "differs": Limit("at most", ROUNDING, "the compiled output is not the eager one"),
        "graphs": control("nothing was compiled, so nothing was seen"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Compile once, and run in every setting."""
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
                    wanted, output = _answers(calls, inputs, recording=recording)
                except GraphBreak as reason:
                    yield Reading("break", 1.0, {**where, "reason": f"{reason}"})
                    return
                yield Reading("break", 0.0)
                is_known = call == CALLS - 1 or setting in SETTINGS[:number]
                yield Reading("recompiles", float(is_known * (function.graphs - before)), where)
                gap = difference(wanted, output) / (largest(wanted) or 1.0)
                yield Reading("differs", gap, where)
                # What returns its own input leaves nothing to compile, and nothing to break.
                passed += output is inputs
                for module in (compiled, eager) if (number, call) in LIFE else ():
                    subject.advance(module)
        yield Reading("graphs", float(function.graphs + passed))


def _bound(subject: Module, module: Any) -> Callable[[Tensor], Tensor]:
    return lambda inputs: subject.call(module, inputs)


def _answers(
    calls: Iterable[Callable[[Tensor], Tensor]], inputs: Tensor, *, recording: bool
) -> list[Tensor]:
    """Return what each call makes of the inputs, under one random seed."""
    answers = []
    with torch.set_grad_enabled(recording):
        for call in calls:
            seed_streams(0)
            answers.append(call(inputs))
    return answers
