"""The likely first input of a module, from the first layers that it has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.probes.recipes.values import Arguments, CallSpec, TensorSpec, TupleSpec, Value

BATCH = 2
LENGTH = 8
SIDE = 16  # of a picture
VOLUME = 8
LEAVES_READ = 6
MOST_CHANNELS = 1024
GENERIC = (
    (BATCH, 3, 32, 32),
    (BATCH, 32, SIDE, SIDE),
    (BATCH, LENGTH, 32),
    (BATCH, 32),
    (BATCH, 32, SIDE),
    (BATCH, 1, 32, 32),
    (BATCH, 32, VOLUME, VOLUME, VOLUME),
    (BATCH, 3, 16, 32, 32),
    (BATCH, LENGTH, SIDE, 32),
    (BATCH, 4, LENGTH, 8),
    (BATCH, SIDE, SIDE, 32),
    (BATCH, 16),
    (BATCH, LENGTH, 3),
    (BATCH, 2),
    (BATCH,),
    (LENGTH, 32),
)
SIZES = re.compile(r"(image|img|input|spatial|volume|feat|frame)_?(size|shape|resolution)?|size")
CHANNELS = re.compile(r"(in|input|image|num)?_?(channels?|chans|in_channels|planes)|dim|n_channels")


def first_inputs(module: nn.Module, build: Arguments) -> list[TensorSpec]:
    """Return the likely first input of a module, the likeliest first, each once."""
    found: dict[TensorSpec, None] = {}
    for spec in (*_from_arguments(build), *_from_leaves(module), *_from_widths(module)):
        if all(isinstance(size, int) for size in spec.shape):
            found.setdefault(spec)
    for shape in GENERIC:
        found.setdefault(TensorSpec(shape))
    found.setdefault(TensorSpec((BATCH, LENGTH), "int64", 0, 10))
    return list(found)


def _from_arguments(build: Arguments) -> Iterator[TensorSpec]:
    """Yield pictures of the size that the constructor was given."""
    sizes = [v for k, v in build.kwargs.items() if SIZES.fullmatch(str(k).lower())]
    channels = [v for k, v in build.kwargs.items() if CHANNELS.fullmatch(str(k).lower())]
    counts = [c for c in channels if isinstance(c, int)]
    for size in sizes:
        sides = _sides(size)
        if not sides:
            continue
        if len(sides) == 2:
            yield from (TensorSpec((BATCH, math.prod(sides), count)) for count in counts)
        for count in dict.fromkeys((*counts, 3, 1)):
            if len(sides) > 1:
                yield TensorSpec((BATCH, count, *sides))
            else:
                yield TensorSpec((BATCH, count, sides[0], sides[0]))
                yield TensorSpec((BATCH, count, 4, sides[0], sides[0]))
                yield TensorSpec((BATCH, count, sides[0]))


def feature_pyramids(build: Arguments) -> list[list[TensorSpec]]:
    """Return lists of pictures, each half as large as the one before, of the channels of a list."""
    found: dict[tuple[int, ...], None] = {}
    for value in _given(build):
        channels = _sides(value) if isinstance(value, (list, TupleSpec)) else ()
        if len(channels) > 1 and min(channels) > 0 and max(channels) <= MOST_CHANNELS:
            found[channels] = None
    return [
        [
            TensorSpec((BATCH, count, *[max(1, largest >> number)] * 2))
            for number, count in enumerate(channels)
        ]
        for channels in found
        for largest in (2 * SIDE, 4 * SIDE)
    ]


def shaped_lists(build: Arguments) -> list[list[TensorSpec]]:
    """Return lists of tensors of the shapes, without the batch, in the lists that the constructor was given."""
    lists = [v for v in _given(build) if isinstance(v, list) and v]
    shapes = [[_sides(one) if isinstance(one, TupleSpec) else () for one in v] for v in lists]
    return [[TensorSpec((BATCH, *one)) for one in v] for v in shapes if all(v)]


def _given(build: Arguments | CallSpec) -> Iterator[Value]:
    """Yield what a constructor was given, with what was given to the objects among it."""
    for value in build.kwargs.values():
        yield value
        if isinstance(value, CallSpec):
            yield from _given(value)


def _sides(size: Value) -> tuple[int, ...]:
    items = size.items if isinstance(size, TupleSpec) else size
    if isinstance(items, int):
        return (items,)
    if isinstance(items, (list, tuple)):
        return tuple(item for item in items if isinstance(item, int))
    return ()


def _from_leaves(module: nn.Module) -> Iterator[TensorSpec]:
    leaves = [leaf for leaf in module.modules() if not list(leaf.children())]
    for leaf in leaves[:LEAVES_READ]:
        yield from leaf_inputs(leaf)


NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip


def leaf_inputs(leaf: nn.Module) -> Iterator[TensorSpec]:
    """Yield the inputs that a layer of torch can take."""
    kind = type(leaf).__name__
    known = vars(leaf)
    channels = known.get("in_channels", known.get("num_channels"))
    if isinstance(channels, int) and kind.removeprefix("Lazy").startswith(("Conv", "GroupNorm")):
        rank = next((int(digit) for digit in kind if digit.isdigit()), 0)
        for size in (SIDE, 4 * SIDE):
            shapes = {1: (size,), 2: (size, size), 3: (size // 2,) * 3}
            for axes in [shapes[rank]] if rank else list(shapes.values()):
                yield TensorSpec((BATCH, channels, *axes))
    elif isinstance(leaf, nn.Embedding):
        for shape in ((BATCH, LENGTH), (BATCH,), (BATCH, LENGTH, 2)):
            yield TensorSpec(shape, "int64", 0, leaf.num_embeddings)
    elif isinstance(leaf, nn.LayerNorm):
        for before in ((BATCH, LENGTH), (BATCH,), (BATCH, LENGTH, LENGTH)):
            yield TensorSpec((*before, *leaf.normalized_shape))
    elif isinstance(leaf, NORMS):
        yield from _normed_inputs(leaf.num_features, kind)
    else:
        yield from _feature_inputs(known)


def _normed_inputs(channels: int, kind: str) -> Iterator[TensorSpec]:
    shapes: dict[str, list[tuple[int, ...]]] = {
        "1": [(), (SIDE,)],
        "2": [(SIDE, SIDE)],
        "3": [(VOLUME, VOLUME, VOLUME)],
    }
    digit = next((character for character in kind if character.isdigit()), "2")
    for axes in shapes.get(digit, [(SIDE, SIDE)]):
        yield TensorSpec((BATCH, channels, *axes))


def _feature_inputs(known: dict[str, object]) -> Iterator[TensorSpec]:
    """Yield sequences, rows and pictures of the width that a layer declares."""
    for name in ("in_features", "input_size", "embed_dim", "in1_features", "dim"):
        width = known.get(name)
        if isinstance(width, int) and width > 0:
            for before in ((BATCH, LENGTH), (BATCH,), (BATCH, LENGTH, LENGTH)):
                yield TensorSpec((*before, width))


def _from_widths(module: nn.Module) -> Iterator[TensorSpec]:
    """Yield inputs of the widths of the first parameters that the module itself owns."""
    for parameter in list(nn.Module.parameters(module, recurse=False))[:2]:
        if not is_lazy(parameter) and parameter.dim() and parameter.numel():
            for width in dict.fromkeys((parameter.shape[-1], parameter.shape[0])):
                yield TensorSpec((BATCH, LENGTH, width))
                yield TensorSpec((BATCH, width))
                yield TensorSpec((BATCH, width, SIDE, SIDE))


def length_of(first: TensorSpec) -> int:
    """Return the number of positions of the first input."""
    shape = first.shape
    return shape[1] if len(shape) > 1 else LENGTH


def grid_of(first: TensorSpec) -> tuple[int, int]:
    """Return the rows and columns of a picture, or of positions that are those of a picture."""
    if len(first.shape) > 3:
        return first.shape[2], first.shape[3]
    length = length_of(first)
    rows = next(rows for rows in range(math.isqrt(length), 0, -1) if length % rows == 0)
    return rows, length // rows
