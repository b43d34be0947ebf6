"""Gradients and plain gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def backward(output: Tensor, cotangent: Tensor | float = 1.0, *, keep_graph: bool = False) -> None:
    """Accumulate the gradient of the sum of output times cotangent on the parameters.

    The product avoids `backward(cotangent)`, which makes torch import sympy.
    """
    (output * cotangent).sum().backward(retain_graph=keep_graph)  # type: ignore[no-untyped-call]  # torch's own


def gradients(parts: Iterable[nn.Module]) -> list[Tensor]:
    """Return the gradients of the parameters of some modules, zeros for a parameter without one."""
    parameters = [parameter for part in parts for parameter in part.parameters()]
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]


def live_count(parameters: Iterable[nn.Parameter]) -> int:
    """Return the number of parameters with a nonzero gradient."""
    return sum(p.grad is not None and bool(p.grad.any()) for p in parameters)


def descend(parameters: Iterable[nn.Parameter], rate: float) -> None:
    """Apply one step of gradient descent for each occurrence of a parameter, then clear the gradients."""
    listed = list(parameters)
    with torch.no_grad():
        for parameter in listed:
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=rate)
    for parameter in listed:
        parameter.grad = None
