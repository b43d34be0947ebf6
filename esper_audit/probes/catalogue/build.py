"""The probe `build`: the factory of a subject returns a new object at each call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.execution.equal_modules import EqualModules
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Module, Subject


class Build(Probe[Subject]):
    """A subject can be built and led to its state any number of times.

    What: the probe calls the factory twice. The two modules must have no parameter or buffer in common.

    Why: a shared instance carries the effects of one probe into the next. This probe blocks all others,
    so that a missing argument is reported once and not as forty failures.

    Quiet: a function, or another object without tensors, may be the same each time.

    Tickets: real code
    """

    contract = "buildable"
    category = Category.API_CONTRACT
    severity = Severity.P2
    requires = ()
    limits: ClassVar[Limits] = {
        "raises": must_be_zero("the factory, or the function of the state, raised"),
        "shared-tensors": must_be_zero(
            "two calls of the factory returned modules that share tensors"
        ),
    }

    def measure(self, subject: Subject, state: str) -> Iterator[Reading]:
        """Build twice."""
        try:
            modules = EqualModules(subject, state)
        # Any error of the factory is the finding.
        except FAILURES as error:
            yield Reading("raises", 1.0, {"error": f"{type(error).__name__}: {error}"})
            return
        yield Reading("raises", 0.0)
        if isinstance(subject, Module):
            first, second = map(_tensors, modules.built)
            yield Reading("shared-tensors", float(len(first & second)))
            modules.hand_on()


def _tensors(module: nn.Module) -> set[int]:
    tensors = [t for t in (*module.parameters(), *module.buffers()) if not is_lazy(t)]
    return {tensor.data_ptr() for tensor in tensors if tensor.numel()}
