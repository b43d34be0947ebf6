"""Watching the dtypes of the tensors of every call: conversions, and the first call that mixes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from esper_audit.probes.measure.execution.precise_run import cast_tree
from esper_audit.probes.measure.execution.raising_lines import lines_of_caller
from esper_audit.probes.measure.output_tree import tensors_of
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.class_source import own_parts

CONVERSIONS = (
    Tensor.to,
    Tensor.type,
    Tensor.type_as,
    Tensor.float,
    Tensor.double,
    Tensor.half,
    Tensor.bfloat16,
)


class DtypeWatch(TorchFunctionMode):
    """Counts the conversions of tensors from and to a dtype, and notes the first call that mixes it with another.

    `mixing` are the lines of that call outside torch, `converting` those of the first conversion from the dtype,
    `away` and `back` how many conversions there are.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.away, self.back = 0, 0
        self.mixing, self.converting = "", ""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make a call, and look at its tensors."""
        result = func(*args, **(kwargs or {}))
        if func in CONVERSIONS:
            self._count(args[0], result)
        elif not self.mixing:
            self._look([*tensors_of(args), *tensors_of(kwargs)])
        return result

    def _count(self, source: Tensor, result: object) -> None:
        if not isinstance(result, Tensor) or not source.is_floating_point():
            return
        if not result.is_floating_point() or source.dtype is result.dtype:
            return
        if source.dtype is self.dtype:
            self.away += 1
            self.converting = self.converting or lines_of_caller()
        self.back += result.dtype is self.dtype

    def _look(self, tensors: list[Tensor]) -> None:
        dtypes = {t.dtype for t in tensors if t.is_floating_point() and t.dim()}
        if len(dtypes) > 1 and self.dtype in dtypes:
            self.mixing = lines_of_caller()


def watched_conversions(subject: Discovered, dtype: torch.dtype) -> DtypeWatch:
    """Return the conversions in a call of a converted module."""
    module = subject.build().to(dtype)
    call = cast_tree(subject.arguments_of_call(), dtype)
    watch = DtypeWatch(dtype)
    with watch:
        subject.evaluate(module, call)
    return watch


def own_dtype(subject: Discovered, dtype: torch.dtype) -> str:
    """Return the attribute in which a module or a part keeps another dtype than it was converted to."""
    for part in own_parts(subject.build().to(dtype)):
        for name, value in vars(part).items():
            kept = value.values() if isinstance(value, dict) else [value]
            if any(
                isinstance(v, torch.dtype) and v.is_floating_point and v is not dtype for v in kept
            ):
                return name
    return ""


def has_floats(module: nn.Module) -> bool:
    """Return whether a module has a parameter or buffer of floats."""
    return any(t.is_floating_point() for t in (*module.parameters(), *module.buffers()))
