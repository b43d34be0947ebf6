"""Running a module that was moved to the meta device, like to any other."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.execution.device_watch import DeviceWatch
from esper_audit.probes.measure.execution.precise_run import map_tree
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.modes import switch_mode

META = "meta"


def run_moved(subject: Discovered, module: nn.Module, calls_before: int) -> DeviceWatch | None:
    """Return what was watched in a call of a moved module, None if a parameter alone was left behind."""
    parameters = [*module.parameters()]
    for _ in range(calls_before):
        subject.evaluate(module, subject.arguments_of_call())
    switch_mode(module, training=False).to(META)
    args, kwargs = moved(subject.arguments_of_call())
    watch = DeviceWatch(META)
    # What meta tensors cannot do is no finding; a mixture was recorded before it raised.
    with contextlib.suppress(*FAILURES), watch, torch.no_grad():
        watch.look_at_outputs(module(*args, **kwargs))
    # A device other than meta keeps the parameters' objects, so that other references to them follow.
    return None if any(watch.stray is parameter for parameter in parameters) else watch


def refusal_of_devices(subject: Discovered) -> str:
    """Return the start of the error by which torch refuses tensors of two devices, empty if it does not."""
    module = switch_mode(subject.build(), training=False)
    args, kwargs = moved(subject.arguments_of_call())
    try:
        module.to(META)(*args, **kwargs)
    # A module may raise anything on the meta device.
    except FAILURES as error:
        text = str(error).partition("\n")[0]
        return f"{type(error).__name__}: {text}"[:60] if "device" in text else ""
    return ""


def is_part(one: Tensor, other: Tensor) -> bool:
    """Return whether a tensor is another one or a view of it."""
    if one is other:
        return True
    has_storage = one.device.type != META and other.device.type != META
    return has_storage and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def moved(tree: Any) -> Any:
    """Return arguments with their tensors on the meta device."""
    return map_tree(tree, lambda tensor: tensor.to(META))
