"""The probe `reproducible`: the same random seed gives the same module and the same output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.execution.equal_modules import EqualModules
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Module


class Reproducible(Probe[Module]):
    """The same random seed gives the same module and the same output, in every bit.

    What: the probe builds two modules under one seed and runs them on the same inputs under one seed. The
    outputs must be equal in every bit.

    Why: on a CPU with one thread results are exact. With a module that depends on the clock or on
    uninitialised memory, a difference that another probe measures means nothing. This probe blocks those.

    Quiet: dropout and random initialisation draw from seeded random streams, and are reproducible.

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
        modules = EqualModules.taken(subject, state, have_run=1)
        while len(modules.outputs) < len(modules.built):
            modules.run_next(subject)
        yield Reading("differs", float(not torch.equal(*modules.outputs)))
