"""The probe `fullgraph`: a forward compiles into one graph in every state, and stays compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from esper_audit.dependency import difference, largest
from esper_audit.dynamo import Compiled, GraphBreak
from esper_audit.finding import Category, Severity
from esper_audit.measurement import Limit, Limits, Reading, control, none_of
from esper_audit.probe import Probe
from esper_audit.subject import Draw, Module
from esper_audit.verdict import Plain

# The first one twice: some break, or compile anew, at the second call only.
BATCHES = (2, 2, 3)
# Of single precision: the compiler may join operations that were rounded one by one.
ROUNDING = 1e-5


class Fullgraph(Probe[Module]):
    """A forward compiles into one graph in every state, and stays compiled.

    What: in train and in eval mode, with gradients and without, for two batch sizes and repeated calls,
    dynamo is told to refuse any graph break; a repeated call must not compile anew, not even after the
    module's life went on (`advance`), and the compiled output must agree with the eager one.

    Why: a break costs more than the graph gains, and dynamo breaks without a word: at a print, an
    `.item()`, a branch on a value. An attribute that counts calls, or a schedule kept in a float,
    compiles eight times and then silently never again.

    Quiet: a second batch size may compile a second graph. Only the tracing is probed, on a CPU: no
    kernels are generated.

    Tickets: deep dive 3
    """

    contract = "compile"
    category = Category.TORCH_COMPILE
    severity = Severity.P2
    takes = Module
    limits: ClassVar[Limits] = {
        "break": none_of("the graph breaks"),
        "recompiles": none_of("a repeated call compiled anew"),
        "differs": Limit("at most", ROUNDING, "the compiled output is not the eager one"),
        "graphs": control("nothing was compiled, so nothing was seen"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Compile and run in every mode."""
        graphs = 0
        for training, recording in product((True, False), (True, False)):
            witness: dict[str, Plain] = {"training": training, "gradients": recording}
            compiled, eager = (subject.at(state).train(training) for _ in range(2))
            function = Compiled(_bound(subject, compiled))
            for call, batch in enumerate(BATCHES):
                where = {**witness, "batch": batch, "call": call}
                inputs, before = subject.inputs(Draw(subject.dims[0], batch=batch)), function.graphs
                try:
                    calls = (_bound(subject, eager), function)
                    wanted, output = _answers(calls, inputs, recording=recording)
                except GraphBreak as reason:
                    yield Reading("break", 1.0, {**where, "reason": f"{reason}"})
                    return
                yield Reading("break", 0.0)
                anew = function.graphs - before if batch in BATCHES[:call] else 0
                yield Reading("recompiles", float(anew), where)
                gap = difference(wanted, output) / (largest(wanted) or 1.0)
                yield Reading("differs", gap, where)
                # What returns its own input leaves nothing to compile, and nothing to break.
                graphs += function.graphs + (output is inputs)
                for module in (compiled, eager):
                    subject.advance(module)
        yield Reading("graphs", float(graphs))


def _bound(subject: Module, module: Any) -> Callable[[Tensor], Tensor]:
    return lambda inputs: subject.call(module, inputs)


def _answers(
    calls: Iterable[Callable[[Tensor], Tensor]], inputs: Tensor, *, recording: bool
) -> list[Tensor]:
    """Return what each call makes of the inputs, under one random seed."""
    answers = []
    with torch.set_grad_enabled(recording):
        for call in calls:
            torch.manual_seed(0)
            answers.append(call(inputs))
    return answers
