"""The probe `host-untouched`: with a seed behind it, the host computes and learns as if alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.gradients import backward, descend, gradients
from esper_audit.probes.measure.output_dependency import difference
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.kinds import Grown
from esper_audit.probes.subject.subject import Draw

STEPS = 3
LEARNING_RATE = 0.05


class HostUntouched(Probe[Grown]):
    """In the states promised, the host computes and learns as if no seed were there.

    What: a grown model and a host alone, from the same seed, are trained side by side: outputs, the host's
    gradients, its buffers and its parameters stay equal, bit for bit, while the seed's own parameters
    move. A parameter must not belong to both.

    Why: until a seed is blended in, its effect on the host must be none. A normalisation that the seed's
    features run through, a parameter in both optimisers, or a gradient that leaks back changes the
    host, and the comparison by which the seed is judged.

    Quiet: states in which the host is meant to feel the seed are not promised.

    Tickets: deep dive 1.1
    """

    contract = "host-untouched"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Grown
    limits: ClassVar[Limits] = {
        "shared": must_be_zero("parameters belong to host and seed"),
        "output": must_be_zero("the output is not that of the host alone"),
        "gradients": must_be_zero("the host gets other gradients than alone"),
        "buffers": must_be_zero("the host's buffers are not what they are alone"),
        "parameters": must_be_zero("the host learned something else than alone"),
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
            # What is in both lists is in both optimisers, and takes each step twice.
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


def _gap(found: list[Tensor], wanted: list[Tensor]) -> float:
    return max((difference(a, b) for a, b in zip(found, wanted, strict=True)), default=0.0)
