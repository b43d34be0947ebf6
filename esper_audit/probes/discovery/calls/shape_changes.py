"""Changes of the shape of a tensor: its axes, their sizes and number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from esper_audit.probes.discovery.layouts import BATCH, LENGTH, SIDE, VOLUME
from esper_audit.probes.recipes.values import TensorSpec, Value

Change = Callable[[TensorSpec], Value]  # None where it does not apply
MOST_SIDE = 512


def sized_axis(axis: int, old: int | None, new: int) -> Change:
    """Return the change of the size of an axis, where it is `old` or for any size."""

    def change(spec: TensorSpec) -> TensorSpec | None:
        rank = len(spec.shape)
        at = axis + rank if axis < 0 else axis
        if not 0 < at < rank or (old is not None and spec.shape[at] != old):
            return None
        return replace(spec, shape=(*spec.shape[:at], new, *spec.shape[at + 1 :]))

    return change


def counted_rows(old: int, new: int) -> Change:
    """Return the change of the size of the first axis, as of edges instead of nodes."""
    return lambda spec: (
        replace(spec, shape=(new, *spec.shape[1:])) if spec.shape[:1] == (old,) else None
    )


def of_first_axes(rank: int) -> Change:
    """Return the change of floats to whole numbers of a few of their axes."""
    return lambda spec: TensorSpec(spec.shape[:rank], "int64", 0, 2) if spec.is_floating else None


def of_sizes(sizes: Sequence[int | None]) -> Change:
    """Return the change of a tensor of as many axes to the sizes that are given."""

    def change(spec: TensorSpec) -> TensorSpec | None:
        if len(spec.shape) != len(sizes):
            return None
        pairs = zip(sizes, spec.shape, strict=True)
        return replace(spec, shape=tuple(size or old for size, old in pairs))

    return change


def without_channels(spec: TensorSpec) -> TensorSpec | None:
    """Return a picture without its channels, as a map of classes."""
    is_picture = len(spec.shape) == 4
    return replace(spec, shape=(spec.shape[0], *spec.shape[2:])) if is_picture else None


def inner_axes(old: int, new: int) -> Change:
    """Return the change of all axes behind the second that have a size."""

    def change(spec: TensorSpec) -> TensorSpec | None:
        if old not in spec.shape[2:] or new > MOST_SIDE:
            return None
        sides = (new if side == old else side for side in spec.shape[2:])
        return replace(spec, shape=(*spec.shape[:2], *sides))

    return change


def chunked(length: int, chunk: int) -> Iterator[Change]:
    """Yield the changes of an axis of a length, or of one more for a token before, so that chunks fill it."""
    for more in (0, 1):
        new = chunk * max(1, length // chunk) + more

        def change(
            spec: TensorSpec, *, old: int = length + more, new: int = new
        ) -> TensorSpec | None:
            if old not in spec.shape or new > MOST_SIDE:
                return None
            at = spec.shape.index(old)
            return replace(spec, shape=(*spec.shape[:at], new, *spec.shape[at + 1 :]))

        yield change


def flattened(width: int) -> Change:
    """Return the change of a row to another width."""
    return lambda spec: replace(spec, shape=(BATCH, width)) if len(spec.shape) == 2 else None


def square_sides(size: int) -> Change:
    """Return the change of all axes behind the channels."""

    def change(spec: TensorSpec) -> TensorSpec | None:
        count = len(spec.shape) - 2
        if count < 1:
            return None
        return replace(spec, shape=(*spec.shape[:2], *[size] * count))

    return change


def sized_picture(height: int, width: int) -> Change:
    """Return the change of the sides of a picture."""
    return lambda spec: (
        replace(spec, shape=(*spec.shape[:2], height, width)) if len(spec.shape) == 4 else None
    )


def of_rank(rank: int) -> Iterator[Change]:
    """Yield the changes of a tensor to another number of axes, with the width in both places."""
    if rank not in range(1, 6):
        return
    inner = {1: (), 2: (), 3: (LENGTH,), 4: (SIDE, SIDE), 5: (VOLUME, VOLUME, VOLUME)}[rank]
    for last in (True, False) if rank in (3, 4) else (False,):

        def change(spec: TensorSpec, *, last: bool = last) -> TensorSpec | None:
            if len(spec.shape) == rank or not spec.shape:
                return None
            width = spec.shape[1] if len(spec.shape) > 3 else spec.shape[-1]
            axes = (*inner, width) if last else (width, *inner)
            return replace(spec, shape=(BATCH, *axes) if rank > 1 else (BATCH,))

        yield change
