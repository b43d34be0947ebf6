"""The probe `forward`: a module runs on its declared inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.equal_modules import EqualModules
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero, must_not_occur
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Module


class Forward(Probe[Module]):
    """A module runs on its declared inputs.

    What: a forward at the first declared width must return a tensor of finite values. `eval()` and
    `train()` must return the module.

    Why: a module that cannot run, or change its mode, cannot be probed. This probe blocks all probes that
    need a forward.

    Quiet: shape and dtype of the output are free.

    Tickets: real code
    """

    contract = "runs"
    category = Category.CORRECTNESS
    severity = Severity.P2
    takes = Module
    requires = ("build",)
    limits: ClassVar[Limits] = {
        "raises": must_be_zero("the forward raised"),
        "no-tensor": must_be_zero("the forward returned something other than a tensor"),
        "not-finite": must_be_zero("the forward returned values that are not finite"),
        "mode-switch": must_not_occur("a switch between train and eval mode failed"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Run the module once."""
        modules = EqualModules.taken(subject, state, have_run=0)
        module = modules.built[0]
        try:
            output = modules.run_next(subject)
        # Any error of the forward is the finding.
        except FAILURES as error:
            yield Reading("raises", 1.0, {"error": f"{type(error).__name__}: {error}"})
            return
        is_tensor = isinstance(output, Tensor)
        yield Reading("no-tensor", float(not is_tensor), {"type": type(output).__name__})
        if isinstance(output, Tensor):
            yield Reading("not-finite", float((~output.isfinite()).sum()))
        for switch in ("eval", "train") if isinstance(module, nn.Module) else ():
            problem = _switch_problem(module, switch)
            where: dict[str, Plain] = {"switch": f"{switch}()", "problem": problem}
            yield Reading("mode-switch", float(bool(problem)), where if problem else {})
        modules.hand_on()


def _switch_problem(module: nn.Module, switch: str) -> str:
    """Return what a mode switch does wrong, empty if it returns the module."""
    try:
        returned = module.eval() if switch == "eval" else module.train()
    # An overridden switch is foreign code: its error is the finding.
    except FAILURES as error:
        return f"raised {type(error).__name__}: {error}"
    return "" if returned is module else f"returned {type(returned).__name__}, not the module"
