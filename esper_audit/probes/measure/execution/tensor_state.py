"""The tensors that a module holds, and which of them a call changed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from esper_audit.probes.measure.output_tree import is_same

ROUNDINGS = 8


def tensor_state(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters, buffers and plain tensor attributes by dotted name."""
    found = dict([*module.named_parameters(), *module.named_buffers()])
    for prefix, child in module.named_modules():
        for name, value in vars(child).items():
            if isinstance(value, Tensor):
                found[f"{prefix}.{name}" if prefix else name] = value
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def changed_state(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> str:
    """Return the name of the first tensor that changed by more than rounding, empty if none did."""
    for name, tensor in before.items():
        is_other = name in after and not is_same(tensor, after[name])
        if is_other and not _is_rounding(tensor, after[name]):
            return name
    return ""


def _is_rounding(before: Tensor, after: Tensor) -> bool:
    """Return whether two tensors differ by rounding only, as where a call normalises its weights again."""
    if before.shape != after.shape or not before.is_floating_point():
        return False
    unit = ROUNDINGS * torch.finfo(before.dtype).eps
    return torch.allclose(before, after, rtol=unit, atol=unit * float(before.abs().max()))
