"""The precision of a module: the finest dtype that it takes, and the coarsest that it computes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.subject.subject import Draw, Module

DTYPES = (torch.float64, torch.float32)
# In units in the last place: a matrix product of another shape is summed in another order.
ROUNDINGS = 1024.0


@dataclass(frozen=True)
class Precision:
    """`dtype` is the finest that a module takes, `unit` the epsilon of the coarsest it computes in.

    A norm or a softmax is often computed in single precision whatever the dtype of its input.
    """

    dtype: torch.dtype
    unit: float

    @property
    def name(self) -> str:
        """The name of the dtype, such as `float64`."""
        return f"{self.dtype}".removeprefix("torch.")

    @property
    def is_fine_enough(self) -> bool:
        """Return whether a real difference can be distinguished from rounding."""
        return self.unit * ROUNDINGS < 1.0


def precision_of(subject: Module, state: str, draw: Draw, *, training: bool) -> Precision:
    """Return the precision of a subject on the inputs of `draw`, double precision if it does not run."""
    for dtype in DTYPES:
        module = subject.at(state).to(dtype).train(training)
        try:
            with torch.no_grad(), ResultPrecision() as results:
                subject.call(module, subject.inputs(_with_dtype(dtype, draw)))
        # A subject may refuse a dtype by any error; the probe `shape-preserving` reports that.
        except FAILURES:
            continue
        return Precision(dtype, results.unit)
    return Precision(torch.float64, torch.finfo(torch.float64).eps)


def _with_dtype(dtype: torch.dtype, draw: Draw) -> Draw:
    return Draw(draw.dim, draw.batch, draw.length, draw.seed, dtype)


class ResultPrecision(TorchFunctionMode):
    """Records, as `unit`, the epsilon of the coarsest dtype that torch computes in inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = torch.finfo(torch.float64).eps

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        is_derived = any(isinstance(argument, Tensor) for argument in args)
        if is_derived and isinstance(result, Tensor) and result.is_floating_point():
            self.unit = max(self.unit, torch.finfo(result.dtype).eps)
        return result
