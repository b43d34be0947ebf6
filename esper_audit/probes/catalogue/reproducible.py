"""The probe `reproducible`: the same random seed makes the same module and the same output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module


class Reproducible(Probe[Module]):
    """The same random seed makes the same module and the same output, bit for bit.

    What: two modules are built from one seed and run on the same inputs with the random stream at
    the same place; every bit of the output must be the same.

    Why: on a CPU with one thread exactness is free. A module that draws from somewhere else (the
    clock, Python's own generator, unset memory) makes every difference meaningless that another
    probe would find; they are blocked by this one.

    Quiet: dropout and random initialisation draw from torch's stream, and are reproducible.

    Tickets: real code
    """

    contract = "reproducible"
    category = Category.CORRECTNESS
    severity = Severity.P2
    takes = Module
    requires = ("forward",)
    limits: ClassVar[Limits] = {"differs": must_be_zero("the same seed gave another output")}

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Build and run twice from the same seed."""
        outputs = []
        for _ in range(2):
            module = subject.at(state)
            seed_streams(1)
            with torch.no_grad():
                outputs.append(subject.call(module, subject.inputs(Draw(subject.dims[0]))))
        yield Reading("differs", float(not torch.equal(*outputs)))
