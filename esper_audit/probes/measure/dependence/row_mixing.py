"""How much the output of the last sample of a batch changes with the others."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, nn

from esper_audit.probes.measure.dependence.followed_axes import FollowedAxis
from esper_audit.probes.measure.execution.precise_run import PreciseRun, gap, map_tree
from esper_audit.probes.measure.output_tree import tensors_of
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in

# The number of axes at which a layer takes one sample without a batch.
OF_ONE_SAMPLE = {
    r"\w*(Conv|Pool)\w*2d": 3,
    r"\w*(Conv|Pool)\w*3d": 4,
    r"RNN|LSTM|GRU": 2,
}


def takes_one_sample(subject: Discovered) -> bool:
    """Return whether a convolution, pooling or recurrent layer gets a rank without an axis of samples.

    So does a module whose own parameters have more axes than its input, which they then give further axes.
    """
    module, seen = subject.build(), list[bool]()
    rank = len(tensors_in(subject.recipe.call)[0].shape)
    if any(parameter.dim() > rank for parameter in module.parameters(recurse=False)):
        return True

    def look(layer: nn.Module, args: tuple[Any, ...]) -> None:
        seen.append(args[0].dim() == _rank_of_one_sample(layer))

    for layer in module.modules():
        if _rank_of_one_sample(layer):
            layer.register_forward_pre_hook(look)
    subject.evaluate(module, subject.arguments_of_call())
    return any(seen)


def _rank_of_one_sample(layer: nn.Module) -> int:
    """Return the number of axes of one sample of a layer, 0 for a layer that always takes a batch."""
    kind = type(layer).__name__
    return next((rank for name, rank in OF_ONE_SAMPLE.items() if re.fullmatch(name, kind)), 0)


def depends_by_first(subject: Discovered, run: PreciseRun, followed: FollowedAxis) -> bool:
    """Return whether the first argument alone, if the shapes of the others are guessed, makes a sample depend."""
    if not subject.recipe.is_guessed or len(tensors_in(subject.recipe.call)) == 1:
        return True
    return row_gap(subject, run, followed, is_first_alone=True) > 1.0


def row_gap(
    subject: Discovered, run: PreciseRun, followed: FollowedAxis, *, is_first_alone: bool = False
) -> float:
    """Return how much the last slice of the outputs changes with the others, in tolerances.

    With `is_first_alone` only the first tensor of the call is changed.
    """
    first = run.evaluate(subject, subject.arguments_of_call())
    mixed = _with_last(subject.arguments_of_call(), subject.arguments_of_call(1), followed)
    if is_first_alone:
        kept = iter([None, *tensors_of(subject.arguments_of_call())[1:]])
        mixed = map_tree(mixed, lambda t: t if (one := next(kept)) is None else one)
    second = run.evaluate(subject, mixed)
    gaps = [
        gap(first[path].select(axis, -1), second[path].select(axis, -1))
        for path, axis in followed.outputs.items()
        if path in first and path in second and first[path].shape == second[path].shape
    ]
    return max(gaps, default=0.0) / run.tolerance


def is_repeatable(subject: Discovered, run: PreciseRun) -> bool:
    """Return whether two calls with the same arguments give the same outputs."""
    first = run.evaluate(subject, subject.arguments_of_call())
    second = run.evaluate(subject, subject.arguments_of_call())
    return all(gap(first[path], second[path]) <= run.tolerance for path in first)


def _with_last(tree: Any, other: Any, followed: FollowedAxis) -> Any:
    """Return the other arguments with the last slice of these."""
    if isinstance(tree, Tensor):
        axis = followed.axis
        if tree.dim() <= axis or tree.shape[axis] != followed.size:
            return tree
        mixed = other.clone()
        mixed.select(axis, -1).copy_(tree.select(axis, -1))
        return mixed
    if isinstance(tree, dict):
        return {key: _with_last(item, other[key], followed) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_with_last(a, b, followed) for a, b in zip(tree, other, strict=True))
    return tree
