"""Running a module in double precision, where rounding does not look like a dependency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.output_tree import named_tensors, tensors_of
from esper_audit.probes.recipes.subject import Discovered

TOLERANCES = {torch.float64: 1e-7, torch.float32: 1e-2}


@dataclass(frozen=True)
class PreciseRun:
    """A module in the finest dtype in which it runs, with the tolerance of comparisons."""

    module: nn.Module
    dtype: torch.dtype

    @property
    def tolerance(self) -> float:
        """The relative difference that rounding may cause."""
        return TOLERANCES[self.dtype]

    def evaluate(self, subject: Discovered, call: Any) -> dict[str, Tensor]:
        """Return the floating and complex outputs of a call by path."""
        outputs = named_tensors(subject.evaluate(self.module, cast_tree(call, self.dtype)))
        return {p: t for p, t in outputs.items() if t.is_floating_point() or t.is_complex()}


def precise_run(subject: Discovered, state: str) -> PreciseRun:
    """Return a module in double precision if it runs so, else as it was built, and so if it is complex."""
    usual = subject.at(state)
    held = (*usual.parameters(), *usual.buffers(), *tensors_of(subject.arguments_of_call()))
    if any(map(torch.is_complex, held)):
        return PreciseRun(usual, torch.float32)
    try:
        run = PreciseRun(subject.at(state).double(), torch.float64)
        run.evaluate(subject, subject.arguments_of_call())
    # Foreign code: what fails in double precision is another contract.
    except FAILURES:
        return PreciseRun(subject.at(state), torch.float32)
    return run


def cast_tree(tree: Any, dtype: torch.dtype) -> Any:
    """Return a tree of arguments with its floating tensors in another dtype."""
    return map_tree(tree, lambda t: t.to(dtype) if t.is_floating_point() else t)


def map_tree(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a tree of arguments with each tensor changed, in order."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return {key: map_tree(item, change) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)) and not is_named_tuple(tree):
        return type(tree)(map_tree(item, change) for item in tree)
    return tree


def is_named_tuple(tree: object) -> bool:
    """Return whether a tuple is a named tuple, whose constructor takes its items one by one."""
    return isinstance(tree, tuple) and "_fields" in vars(type(tree))


def gap(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors, relative to the largest value."""
    if one.shape != other.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    both = torch.isfinite(one) & torch.isfinite(other)
    size = float(one[both].abs().max()) if bool(both.any()) else 1.0
    same_rest = torch.equal(one[~both].nan_to_num(), other[~both].nan_to_num())
    if not same_rest:
        return float("inf")
    return float((one[both] - other[both]).abs().max()) / (size or 1.0) if bool(both.any()) else 0.0
