"""Switching the mode of a module, even of one whose own `train` is broken."""

from __future__ import annotations

from torch import nn

from esper_audit.findings.errors import FAILURES


def switch_mode(module: nn.Module, *, training: bool) -> nn.Module:
    """Put a module in train or eval mode by its own methods, else by those of `nn.Module`."""
    try:
        if training:
            module.train()
        else:
            module.eval()
    # A broken mode switch is what the probe `sound-modes` reports.
    except FAILURES:
        nn.Module.train(module, training)
    return module
