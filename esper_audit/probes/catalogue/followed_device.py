"""The probe `followed-device`: a module computes where its inputs and parameters are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.device_watch import plain_tensors
from esper_audit.probes.measure.execution.moved_run import is_part, refusal_of_devices, run_moved
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.universal import UniversalProbe

RETURNED = "returned"
WATCH = """
class Watch(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        tensors = [t for t in [*args, *(kwargs or {}).values()] if isinstance(t, torch.Tensor)]
        tensors += [t for a in args if isinstance(a, (list, tuple)) for t in a if isinstance(t, torch.Tensor)]
        packed = func.__name__ in ("_pack_padded_sequence", "gru", "lstm", "rnn_tanh", "rnn_relu")  # lengths
        devices = {t.device.type for t in tensors if t.dim() and (t.is_floating_point() or not packed)}
        if func not in (torch.Tensor.to, torch.Tensor.copy_, torch.Tensor.type_as):
            assert len(devices) < 2, f"{func.__name__} gets tensors on {sorted(devices)}"
        return func(*args, **(kwargs or {}))
"""


class FollowedDevice(UniversalProbe):
    """A module computes on the device of its inputs and parameters.

    What: the module is moved to the meta device, like to any other, and called with inputs there. The
    probe watches every call of torch: no call may get tensors of two devices, and no floating output may lie
    elsewhere.

    Why: a tensor that stays behind raises on the first machine with an accelerator. A plain attribute is
    also missing in the state dict and in `.double()`.

    Quiet: numbers without axes and indices, which may stay on the CPU; modules that read values, which meta
    tensors lack. What a call before the move keeps is a property.

    Tickets: real code
    """

    contract = "device-follows"
    category = Category.CORRECTNESS
    severity = Severity.P2
    limits: ClassVar[Limits] = {
        "attribute": must_not_occur("a plain tensor attribute stays behind when the module moves"),
        "created": must_not_occur("the forward creates a tensor on another device than its inputs"),
        "returned": must_not_occur("an output lies on another device than the inputs"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Run on the meta device and look at the tensors of every call."""
        if subject.recipe.has_drawn_objects():
            return  # an object that is given cannot be moved
        for calls_before in (0, 1):
            module: nn.Module = subject.at(state)
            try:
                watch = run_moved(subject, module, calls_before)
            # `.to` is foreign code where it is overridden.
            except FAILURES:
                return
            if watch is None:
                return
            where: dict[str, Plain] = {}
            if watch.stray is not None:
                stray = watch.stray
                owner = next((n for n, t in plain_tensors(module) if is_part(stray, t)), "")
                where = {"attribute": owner} if owner else {"call": watch.function}
                where |= {"line": watch.lines, "calls before": calls_before or ""}
            elif watch.returned:
                where = {RETURNED: watch.returned, "calls before": calls_before or ""}
            detector = next((n for n in ("attribute", RETURNED) if n in where), "created")
            yield Reading(detector, float(bool(where)), where)
            if where:
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if only a call before the move makes a tensor stay behind."""
        if not witness["calls before"]:
            return ""
        return f"{witness.get('attribute', 'a tensor')} is kept on the device of the first call"

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that moves the module and, if an attribute that stays is not told apart, calls it."""
        if detector == "attribute":
            name = str(witness["attribute"])
            message = f"{name} stays on the CPU"
            body = ["module.to('meta')  # or any other device"]
            body.append(f"assert module.{name}.device.type == 'meta', \"{message}\"")
            return program(subject.recipe, body), f"AssertionError: {message}"
        moves = [
            "module.to('meta')  # or any other device",
            *(f"{n} = {n}.to('meta')" for n in recipe_text(subject.recipe).names),
        ]
        if detector == RETURNED:
            path = str(witness[RETURNED]).removeprefix("itself")
            message = "an output lies on the CPU"
            body = [*moves, "with torch.no_grad():", "    output = module(CALL)"]
            body.append(f"assert output{path}.device.type == 'meta', \"{message}\"")
            return program(subject.recipe, body), f"AssertionError: {message}"
        if refusal := refusal_of_devices(subject):
            return program(subject.recipe, [*moves, "module(CALL)"]), refusal
        body = [
            *moves,
            *WATCH.strip("\n").splitlines(),
            "with Watch(), torch.no_grad():",
            "    module(CALL)",
        ]
        imports = ["import torch.overrides"]
        return program(subject.recipe, body, imports=imports), "AssertionError: "
