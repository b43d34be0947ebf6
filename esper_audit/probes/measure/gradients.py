"""Gradients and plain descent: what the probes take of training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def backward(output: Tensor, cotangent: Tensor | float = 1.0) -> None:
    """Leave the gradient of the sum of output times cotangent on the parameters.

    Written as a product: an explicit cotangent makes torch import a computer algebra system.
    """
    (output * cotangent).sum().backward()  # type: ignore[no-untyped-call]  # torch's own


def gradients(parts: Iterable[nn.Module]) -> list[Tensor]:
    """Return the gradients of the parameters of some modules, zeros where there is none."""
    parameters = [parameter for part in parts for parameter in part.parameters()]
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]


def live_count(parameters: Iterable[nn.Parameter]) -> int:
    """Return how many parameters have a gradient that is not zero."""
    return sum(p.grad is not None and bool(p.grad.any()) for p in parameters)


def descend(parameters: Iterable[nn.Parameter], rate: float) -> None:
    """Take one step down the gradients for each parameter listed, and clear them."""
    listed = list(parameters)
    with torch.no_grad():
        for parameter in listed:
            if parameter.grad is not None:
                parameter.sub_(rate * parameter.grad)
    for parameter in listed:
        parameter.grad = None
