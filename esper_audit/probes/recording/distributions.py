"""Distributions and lazy matrices as values of a recipe, drawn anew within the constraints of their parameters."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.distributions import Distribution, constraints

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.output_tree import LAZY_MATRICES
from esper_audit.probes.recipes.values import CallSpec, TensorSpec, Value
from esper_audit.probes.recording.tensor_values import DIAGONAL, diagonal_matrix, is_small

LEAST_PREFIX = 4  # `base_distribution` is kept as `base_dist`
LAZY_RANGE = (0.5, 1.5)  # of the diagonal of a lazy matrix, whose values are not computed
OF_MATRICES = (constraints.positive_definite, constraints.lower_cholesky)
Describe = Callable[[Any], Value]


def distribution_arguments(
    distribution: Distribution, parameters: Sequence[inspect.Parameter], describe: Describe
) -> dict[str, Value] | str:
    """Return the arguments that make a distribution, or the name of one that it needs and does not keep."""
    kwargs: dict[str, Value] = {}
    limits = distribution.arg_constraints
    is_given = False  # one of several parameters, such as probabilities and logits
    order = [*vars(distribution)]  # what was given is there before what was computed of it
    ranked = {p.name: order.index(p.name) if p.name in order else len(order) for p in parameters}
    for parameter in sorted(parameters, key=lambda p: ranked[p.name]):
        name = parameter.name
        is_alternative = parameter.default is None and name in limits
        if is_alternative and is_given:
            continue
        found = _held(distribution, name)
        if found is None and parameter.default is inspect.Parameter.empty:
            return name
        if found is not None and found is not parameter.default:
            is_given = is_given or is_alternative
            kwargs[name] = _described(found, limits.get(name), describe)
    return kwargs


def lazy_matrix_call(matrix: Any) -> CallSpec:
    """Return the construction of a lazy matrix from its shape and dtype.

    Its values are not computed, which may run functions that the command counts or replaces.
    """
    shape, dtype = tuple(matrix.shape), str(matrix.dtype).removeprefix("torch.")
    if shape[-1] != shape[-2]:
        value: Value = TensorSpec(shape, dtype)
    else:  # a covariance, or a factor of one
        value = CallSpec(DIAGONAL, (TensorSpec(shape[:-1], dtype, *LAZY_RANGE),))
    return CallSpec(f"{LAZY_MATRICES}:to_linear_operator", (value,))


def _held(distribution: Distribution, name: str) -> Any:
    """Return what a distribution keeps of an argument, as an attribute or else as a property of its class."""
    held: Mapping[str, Any] = vars(distribution)
    for key in (name, f"_{name}"):
        if held.get(key) is not None:
            return held[key]
    shortened = (k for k in held if len(k) >= LEAST_PREFIX and name.startswith(k.lstrip("_")))
    found = next((held[key] for key in shortened), None)
    if found is not None:
        return found
    accessor = inspect.getattr_static(type(distribution), name, None)
    if "__get__" in dir(type(accessor)) and not inspect.isroutine(accessor):
        shape = (*distribution.batch_shape, *distribution.event_shape, *distribution.event_shape)
        if not is_small(shape):
            return None
        # A property is foreign code, and one that raises holds nothing.
        with contextlib.suppress(*FAILURES):
            own = copy.copy(distribution)  # a property may keep what it computes
            return vars(type(accessor))["__get__"](accessor, own, type(own))
    return None


def _described(value: Any, constraint: Any, describe: Describe) -> Value:
    if not isinstance(value, Tensor):
        return describe(value)
    value = value.detach()
    if constraint in OF_MATRICES and value.numel():
        spec = describe(value)
        return diagonal_matrix(value, spec) if isinstance(spec, TensorSpec) else spec
    if value.numel() and constraint is not None and _is_exact(constraint):
        low, end = float(value.min()), float(value.max()) + (not value.is_floating_point())
        dtype = str(value.dtype).removeprefix("torch.")
        return TensorSpec(tuple(value.shape), dtype, low, end)
    return describe(value)


def _is_exact(constraint: Any) -> bool:
    """Return whether values are whole numbers, or lie between those of another parameter."""
    bounds = vars(constraint).values()
    return bool(constraint.is_discrete) or any(isinstance(bound, Tensor) for bound in bounds)
