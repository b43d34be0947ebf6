"""Tensors as values of a recipe: shapes, dtypes and ranges, never their data."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable

import torch

# By name, so that a command that replaces one in `torch` to count its calls counts only its own.
from torch import Tensor, allclose, equal, isfinite, nn
from torch.linalg import cholesky_ex

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.values import CallSpec, NotDescribable, TensorSpec, Value

MOST_READ = 1 << 20  # elements of a tensor whose range is read
ORDINARY = 8.0  # normally distributed values lie within
FEWEST_BOUNDED = 10  # this many normally distributed values are seldom all within one of zero
NEAR_ZERO = 0.2  # a least value below this share of the largest one counts as zero
FINE = 20  # a number of ids below this is exact
DIAGONAL = "torch:diag_embed"
SPREAD = 1.5  # a matrix of one repeated number is drawn with up to this multiple of it


def tensor_value(tensor: Tensor) -> Value:
    """Return the specification of a tensor, and of a covariance a random positive diagonal matrix."""
    spec = tensor_spec(tensor)
    # A function transform or a mode of the command may refuse to compute.
    with contextlib.suppress(*FAILURES):
        if _has_values(tensor) and is_covariance(tensor.detach()):
            return diagonal_matrix(tensor.detach(), spec)
    return spec


def tensor_spec(tensor: Tensor) -> TensorSpec:
    """Return the shape, dtype and range of a tensor."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise NotDescribable("a sparse, nested or quantised tensor")
    spec = TensorSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
    if _has_values(tensor) and not tensor.is_complex():
        # A function transform or a mode of the command may refuse to give out values.
        with contextlib.suppress(*FAILURES):
            return _with_range(spec, tensor.detach())
    return spec


def is_covariance(tensor: Tensor) -> bool:
    """Return whether a tensor is one or more symmetric, positive definite matrices, and no counts."""
    if not is_symmetric(tensor) or equal(tensor, tensor.round()):
        return False
    return bool((cholesky_ex(tensor.double()).info == 0).all())


def is_symmetric(tensor: Tensor) -> bool:
    """Return whether a tensor is one or more symmetric matrices with a positive diagonal."""
    shape = tensor.shape
    if len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] < 2 or not is_small(shape):
        return False
    if not tensor.is_floating_point() or not allclose(tensor, tensor.mT):
        return False
    return bool((tensor.diagonal(dim1=-2, dim2=-1) > 0).all())


def diagonal_matrix(matrix: Tensor, spec: TensorSpec) -> CallSpec:
    """Return a random positive diagonal matrix, given the specification of a covariance or of a factor of one."""
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    least, most = float(diagonal.min()), float(diagonal.max())
    low, high = (float(f"{number:.1g}") for number in (least, max(most, least * SPREAD)))
    drawn = dataclasses.replace(spec, shape=spec.shape[:-1], low=low, high=high)
    return CallSpec(DIAGONAL, (drawn,))


def is_small(shape: Iterable[int]) -> bool:
    """Return whether a matrix of a shape has values, and few enough to be computed for a description."""
    return 0 < torch.Size(shape).numel() <= MOST_READ


def _has_values(tensor: Tensor) -> bool:
    """Return whether the values of a tensor can be read, and are few enough to be."""
    is_plain = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type != "meta"
    return is_plain and 0 < tensor.numel() <= MOST_READ


def _with_range(spec: TensorSpec, tensor: Tensor) -> TensorSpec:
    if spec.dtype == "bool":
        share = tensor.float().mean().item()
        return spec if share == 1 else dataclasses.replace(spec, high=round(share, 2))
    if not spec.is_floating:
        first, end = _coarse_integers(int(tensor.min()), int(tensor.max()) + 1)
        return dataclasses.replace(spec, low=first, high=end)
    finite = tensor[isfinite(tensor)].float()
    if not finite.numel():
        return spec
    least, most = float(finite.min()), float(finite.max())
    if least < 0 and max(-least, most) <= ORDINARY:
        is_bounded = finite.numel() >= FEWEST_BOUNDED and max(-least, most) <= 1
        return dataclasses.replace(spec, low=-1.0, high=1.0) if is_bounded else spec
    if least == most and least >= 0:  # a constant stands for any value up to it
        return dataclasses.replace(spec, high=_coarse(most, math.ceil) or 1.0)
    high = _coarse(max(most, least + 1e-3), math.ceil)
    low = 0.0 if 0 <= least < high * NEAR_ZERO else _coarse(least, math.floor)
    return dataclasses.replace(spec, low=low, high=high)


def _coarse_integers(low: int, high: int) -> tuple[int, int]:
    """Return a range of ids that hardly differs from run to run, and not above the one that was seen."""
    if high >= FINE:
        high = int(_coarse(high, math.floor))
    low = 0 if 0 <= low < high * NEAR_ZERO else low
    return low, max(high, low + 1)


def _coarse(value: float, toward: Callable[[float], int]) -> float:
    """Return a number with one digit, so that runs with other random numbers record the same."""
    if value == 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    return float(f"{toward(value / unit) * unit:.6g}")
