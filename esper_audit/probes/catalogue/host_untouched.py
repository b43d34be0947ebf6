"""The probe `host-untouched`: a host with a seed computes and learns as without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference
from esper_audit.probes.measure.parameters.gradients import backward, descend, gradients
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.kinds import Grown
from esper_audit.probes.subject.subject import Draw

STEPS = 3
LEARNING_RATE = 0.05


class HostUntouched(Probe[Grown]):
    """In the promised states a host with a seed computes and learns as without it.

    What: the probe trains a grown model and a host alone, from the same random seed, side by side. Outputs,
    gradients, buffers and parameters of the host must stay equal in every bit. No parameter may belong to
    both host and seed.

    Why: a seed must not affect the host before it is blended in. A shared normalisation, a parameter in
    both optimisers, or a gradient that reaches the host changes the host, and so the comparison by which
    the seed is judged.

    Quiet: do not promise it for states in which the seed may affect the host.

    Tickets: deep dive 1.1
    """

    contract = "host-untouched"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Grown
    limits: ClassVar[Limits] = {
        "shared": must_be_zero("parameters belong to both host and seed"),
        "output": must_be_zero("the output differs from that of the host alone"),
        "gradients": must_be_zero("the gradients of the host differ from those of the host alone"),
        "buffers": must_be_zero("the buffers of the host differ from those of the host alone"),
        "parameters": must_be_zero(
            "the parameters of the host differ from those of the host alone"
        ),
    }

    def measure(self, subject: Grown, state: str) -> Iterator[Reading]:
        """Train side by side."""
        grown, bare = (subject.at(state).train() for _ in range(2))
        host, alone = subject.host(grown), subject.host(bare)
        seed = list(subject.seed_parameters(grown))
        shared = {id(p) for p in host.parameters()} & {id(p) for p in seed}
        yield Reading("shared", float(len(shared)))
        for step in range(STEPS):
            witness: dict[str, Plain] = {"step": step}
            inputs = subject.inputs(Draw(subject.dims[0], seed=step))
            outputs = _output(subject, grown, inputs), _output_alone(subject, alone, inputs)
            yield Reading("output", difference(*outputs), witness)
            cotangent = torch.randn(outputs[1].shape)
            for output in outputs:
                backward(output, cotangent)
            yield Reading("gradients", _gap(gradients([host]), gradients([alone])), witness)
            yield Reading("buffers", _gap(list(host.buffers()), list(alone.buffers())), witness)
            # A parameter in both lists is in both optimisers, and is updated twice.
            descend([*host.parameters(), *seed], LEARNING_RATE)
            descend(alone.parameters(), LEARNING_RATE)
            gap = _gap(list(host.parameters()), list(alone.parameters()))
            yield Reading("parameters", gap, witness)


def _output(subject: Grown, grown: nn.Module, inputs: Tensor) -> Tensor:
    seed_streams(1)
    return subject.call(grown, inputs)


def _output_alone(subject: Grown, alone: nn.Module, inputs: Tensor) -> Tensor:
    seed_streams(1)
    return subject.alone(alone, inputs)


def _gap(found: list[Tensor], expected: list[Tensor]) -> float:
    return max((difference(a, b) for a, b in zip(found, expected, strict=True)), default=0.0)
