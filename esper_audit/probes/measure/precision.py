"""How finely a module computes: in double precision if it can, and no finer than it rounds on the way."""

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
# In units of the last place: a product of another shape is summed in another order.
ROUNDINGS = 1024.0


@dataclass(frozen=True)
class Precision:
    """`dtype` is the finest that a module takes, `unit` the last place of the coarsest it goes through.

    A norm or a softmax is often computed in single precision, whatever comes in.
    """

    dtype: torch.dtype
    unit: float

    @property
    def name(self) -> str:
        """The name of the dtype, as torch has it."""
        return f"{self.dtype}".removeprefix("torch.")

    @property
    def tells(self) -> bool:
        """Whether what is not rounding would stand out from it."""
        return self.unit * ROUNDINGS < 1.0


def precision_of(subject: Module, state: str, draw: Draw, *, training: bool) -> Precision:
    """Return how finely a subject computes on what `draw` gives; double precision if it does not run."""
    for dtype in DTYPES:
        module = subject.at(state).to(dtype).train(training)
        try:
            with torch.no_grad(), ResultPrecision() as results:
                subject.call(module, subject.inputs(_in(dtype, draw)))
        # What it refuses double precision with is its own choice; another probe tells that it does.
        except FAILURES:
            continue
        return Precision(dtype, results.unit)
    return Precision(torch.float64, torch.finfo(torch.float64).eps)


def _in(dtype: torch.dtype, draw: Draw) -> Draw:
    return Draw(draw.dim, draw.batch, draw.length, draw.seed, dtype)


class ResultPrecision(TorchFunctionMode):
    """Keeps, as `unit`, the last place of the coarsest result that torch makes of other tensors inside."""

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
