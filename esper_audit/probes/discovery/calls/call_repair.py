"""Other arguments of a call, as the message of its error suggests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from esper_audit.probes.discovery.calls.shape_changes import (
    MOST_SIDE,
    Change,
    chunked,
    counted_rows,
    flattened,
    inner_axes,
    of_first_axes,
    of_rank,
    of_sizes,
    sized_axis,
    sized_picture,
    square_sides,
    without_channels,
)
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.layouts import BATCH, LENGTH, SIDE, VOLUME, grid_of
from esper_audit.probes.recipes.values import (
    Arguments,
    TensorSpec,
    TupleSpec,
    map_arguments,
    map_tensors,
    tensors_in,
)

WANTS_NUMBER = re.compile(
    r"(?:arange|linspace|zeros|ones|full|empty)\(\)[:,]? (?:received|argument).*Tensor"
    r"|'Tensor' object cannot be interpreted as an integer|only integer tensors of a single element"
    r"|only one element tensors can be converted|failed to unpack the object at pos"
)
CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
PRODUCT = re.compile(r"shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
NORMALISED = re.compile(r"normalized_shape=\[([\d, ]+)\].*got input of size\s*\[([\d, ]+)\]", re.S)
INPUT_SIZE = re.compile(r"[Ee]xpected (\d+),? (?:but )?got:? (\d+)")
RUNNING = re.compile(r"running_mean should contain (\d+) elements not (\d+)")
CHUNKS = re.compile(r"divide axis of length (\d+) in chunks of (\d+)")
OF_SIZE = re.compile(
    r"(?:length|size|width|height|dim(?:ension)?|channels)(?: of)? (\d+)[,.]?"
    r" but (?:found|got|received)(?: [a-z]+)* (\d+)",
    re.IGNORECASE,
)
JOINED = re.compile(r"Expected size (\d+) but got size (\d+) for tensor number")
LACKING = re.compile(r"'Tensor' object has no attribute '(\w+)'")
OF_LISTS = frozenset({"append", "extend", "insert", "pop"})
OF_MAPPINGS = frozenset({"keys", "values", "items", "get"})
RESHAPED = re.compile(r"shape '\[.*\]' is invalid for input of size")
UNEQUAL = re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)")
RANKS = (
    re.compile(r"not enough values to unpack \(expected (\d+)"),
    re.compile(r"too many values to unpack \(expected (\d+)"),
    re.compile(r"[Ee]xpected:? (?:input (?:to be|with) )?(\d)-?D"),
    re.compile(r"expected (\d) dim(?:ension)?s"),
    re.compile(r"or (\d)-?D \(batched\)"),
    re.compile(r"dim(?:ension)?s? (?:must be|==|should be|to be) (\d)"),
    re.compile(r"(\d)[- ]?D (?:input|tensor)"),
    re.compile(r"input\.dim\(\) to be (\d)"),
    re.compile(r"dim\(\) [!=]= (\d)"),
)
FIXED_SIZE = re.compile(r"(?:match(?: model)?|model|expected|equal to|be) \(?\[?(\d+)[*,x)\] ]")
MULTIPLE = re.compile(
    r"(?:divisible by|multiple of|chunks? of|divide axis of length \d+ in chunks of) (\d+)"
)
WANTS_IDS = re.compile(
    r"type[s]?:? (?:torch\.)?Long|scalar types: Long|must be long|used as indices|LongTensor"
    r"|one_hot is only|IntTensor|dtype int(?:32/int)?64|of integer type|[Cc]lass values must be"
    r"|within the support \(Integer"
)
WANTS_FLOAT = re.compile(
    r"found Long|but got Long|not implemented for 'Long'|Float but|Long did not match Float|Got a Long"
    r"|dtype Long|got Long and Float|input dtype should be either floating|Input type \((?:torch\.)?(?:Long|Int)"
)
WANTS_COMPLEX = re.compile(
    r"non-complex dtype|Complex(?:Float|Double)|complex<|complex (?:input|tensor|dtype)|complex64"
)
TOO_HIGH = re.compile(
    r"index out of range|out of bounds|Class values must be smaller|target \d+ is out of"
)
TOO_SMALL = re.compile(
    r"Kernel size can't be greater|too small|padding.*(?:should be|less than)|greater than 0"
    r"|more than 1 (?:value|spatial)|non-?zero size|smaller than|kernel size",
    re.IGNORECASE,
)
WANTS_TRUTH = re.compile(
    r"must be (?:a )?bool|to be a boolean tensor|expected (?:a )?bool", re.IGNORECASE
)
SIDES_SAID = re.compile(r"expect\w*[^()\[\]]*[(\[](\d+), ?(\d+)[)\]]", re.IGNORECASE)
SHAPES_SAID = (
    re.compile(r"[(\[]((?:B|N|b|n|batch\w*), ?(?:\w+, ?)*\w+)[)\]]"),
    re.compile(r"[Ee]xpected shape:? [(\[]((?:'\w+', ?)*'\w+')[)\]]"),
    re.compile(r"\b([BN](?:x(?:[A-Z]\w*|\d+))+)\b"),
)
FLATTENED = 256  # a width that only a flattened picture has
PICTURE_SIDES = (28, 32, 64, 84, 96, 224)  # of common data sets
WANTS_SIZES = re.compile(
    r"argument 'size'.*must be tuple of ints, but found element of type Tensor"
)
PROBABILITY = re.compile(r"in \[0, ?1\]|satisfy the constraint|within the support")
RANGE = re.compile(
    r"(?:range (?:is |of )?|interval (?:is |of )?|between )[\[(]?(-?\d+(?:\.\d+)?)(?:,| and) ?(-?\d+(?:\.\d+)?)"
)
WANTS_LIST = re.compile(r"(?:cat|stack)\(\): argument 'tensors' .*must be tuple of Tensors")
ROWS = re.compile(r"size (\d+) in dimension 0, but expected size (\d+)")
LONGER = re.compile(r"(?:larger|greater|longer|more) than[^\d]{0,40}?\(?(\d{2,5})\)?(?![\d.])")
LONGEST = 65_536


def repaired_calls(call: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments with one tensor changed as the message suggests, or all of them to a rank that it names."""
    for change in _changes(failure.message):
        for key, value in call.items():
            changed = map_tensors(value, lambda spec, change=change: change(spec) or spec)  # type: ignore[misc]  # the default binds the loop's variable
            if changed != value:
                yield call.with_value(key, changed)
    ranks = _ranks(failure.message) if len(tensors_in(call)) > 1 else ()
    for change in (change for rank in ranks for change in of_rank(rank)):
        yield map_arguments(call, lambda spec, change=change: change(spec) or spec)  # type: ignore[misc]  # the default binds the loop's variable
    yield from _gridded(call, failure.message)
    yield from _shared(call, failure.message)


def _shared(call: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments with the widths of all tensors divided, where the module joins them."""
    found = CHANNELS.search(message) or RUNNING.search(message)
    product = PRODUCT.search(message)
    sizes = found.groups() if found else product.groups()[1:3] if product else ("0", "0")
    wanted, got = sorted(map(int, sizes))
    for count in (2, 3, 4):
        if wanted and wanted % count == 0 and got == wanted * count:
            change = sized_axis(1 if found else -1, wanted, wanted // count)
            yield map_arguments(call, lambda spec, change=change: change(spec) or spec)  # type: ignore[misc]  # the default binds the loop's variable


def _gridded(call: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments with two numbers made the sides of a picture whose positions a tensor has."""
    numbers = [key for key, value in call.items() if type(value) is int]
    specs = tensors_in(call)
    if RESHAPED.search(message) and len(numbers) == 2 and specs and len(specs[0].shape) > 2:
        sides = grid_of(specs[0])
        changed = call.with_value(numbers[0], sides[0]).with_value(numbers[1], sides[1])
        if changed != call:
            yield changed


def _changes(message: str) -> Iterator[Change]:
    if found := CHANNELS.search(message):
        yield sized_axis(1, int(found[2]), int(found[1]))
    if found := PRODUCT.search(message):
        yield sized_axis(-1, int(found[2]), int(found[3]))
        yield flattened(int(found[3]))
        if int(found[1]) == BATCH and max(int(found[2]), int(found[3])) >= FLATTENED:
            yield from (sized_picture(side, side) for side in PICTURE_SIDES)
    if found := NORMALISED.search(message):
        wanted, got = found[1].split(", "), found[2].split(", ")
        yield sized_axis(-1, int(got[-1]), int(wanted[-1]))
    if found := RUNNING.search(message):
        yield sized_axis(1, int(found[1]), int(found[2]))
    if found := INPUT_SIZE.search(message):
        yield sized_axis(-1, int(found[2]), int(found[1]))
        yield sized_axis(1, int(found[2]), int(found[1]))
    found = None if JOINED.search(message) else OF_SIZE.search(message)
    if found:
        yield sized_axis(-1, int(found[2]), int(found[1]))
        yield sized_axis(1, int(found[2]), int(found[1]))
    yield from _changes_of_one_of_two(message)
    yield from _shapes_said(message)
    yield from _changes_of_values(message)
    yield from _changes_of_shape(message)


def _changes_of_one_of_two(message: str) -> Iterator[Change]:
    """Yield the changes where two tensors have to match."""
    if found := UNEQUAL.search(message):
        for old, new in ((int(found[1]), int(found[2])), (int(found[2]), int(found[1]))):
            for axis in (-1, 1):
                yield sized_axis(axis, old, new)
            yield inner_axes(old, new)
            if "dimension 0" in message:
                yield counted_rows(old, new)
    if found := JOINED.search(message):
        yield inner_axes(int(found[2]), int(found[1]))
        yield inner_axes(int(found[1]), int(found[2]))
        yield from (counted_rows(int(found[n]), int(found[3 - n])) for n in (2, 1))
    if found := ROWS.search(message):
        yield counted_rows(int(found[1]), int(found[2]))
        yield counted_rows(int(found[2]), int(found[1]))


def _changes_of_values(message: str) -> Iterator[Change]:
    if WANTS_IDS.search(message):
        yield lambda spec: TensorSpec(spec.shape, "int64", 0, 2) if spec.is_floating else None
        for rank in (2, 1):
            yield of_first_axes(rank)
    if WANTS_FLOAT.search(message):
        yield lambda spec: None if spec.is_floating else TensorSpec(spec.shape)
    if WANTS_TRUTH.search(message):
        yield (
            lambda spec: TensorSpec(spec.shape, "bool", high=0.5) if spec.dtype != "bool" else None
        )
    if WANTS_COMPLEX.search(message):
        yield lambda spec: replace(spec, dtype="complex64") if spec.dtype == "float32" else None
    if TOO_HIGH.search(message):
        yield lambda spec: replace(spec, low=0, high=1.9 if spec.is_floating else 2)
    if WANTS_NUMBER.search(message):
        yield lambda spec: LENGTH if spec.shape else 1
    lacking = LACKING.search(message)
    if WANTS_LIST.search(message) or (lacking and lacking[1] in OF_LISTS):
        yield lambda spec: [spec, spec]
    if lacking and lacking[1] in OF_MAPPINGS:
        yield lambda spec: {"a": spec, "b": spec}
    if found := RANGE.search(message):
        low, high = sorted((float(found[1]), float(found[2])))
        yield lambda spec: replace(spec, low=low, high=high) if spec.is_floating else None
    if PROBABILITY.search(message):
        yield lambda spec: replace(spec, low=0.0, high=1.0) if spec.is_floating else None


def _shapes_said(message: str) -> Iterator[Change]:
    """Yield the changes to a shape such as `[B, 7, C]`, or to the two sides that a message expects."""
    if found := SIDES_SAID.search(message):
        sides = int(found[1]), int(found[2])
        if min(sides) and max(sides) <= MOST_SIDE:
            yield sized_picture(*sides)
    said = next(filter(None, (pattern.search(message) for pattern in SHAPES_SAID)), None)
    if said:
        wanted = [word.strip(" '") for word in re.split(r",|(?<=[A-Z\d])x(?=[A-Z\d])", said[1])]
        if wanted[1:] == ["H", "W"]:
            yield without_channels
        yield from of_rank(len(wanted))
        yield of_sizes([int(word) if word.isdigit() else None for word in wanted])


def _ranks(message: str) -> list[int]:
    """Return the numbers of axes that a message asks for."""
    said = (int(rank) for pattern in RANKS for rank in pattern.findall(message))
    return [*dict.fromkeys(said)]


def _changes_of_shape(message: str) -> Iterator[Change]:
    ranks = _ranks(message)
    for rank in ranks:
        yield from of_rank(rank)
    for size in dict.fromkeys(map(int, FIXED_SIZE.findall(message))):
        if 1 < size <= MOST_SIDE and size not in ranks:
            yield square_sides(size)
            yield sized_axis(1, None, size)
            yield sized_axis(-1, None, size)
    if found := MULTIPLE.search(message):
        size = int(found[1])
        if size <= 256:
            yield square_sides(size * max(1, 32 // size))
            yield sized_axis(1, None, size * max(1, 16 // size))
            yield sized_axis(-1, None, size * max(1, 32 // size))
    if found := CHUNKS.search(message):
        yield from chunked(int(found[1]), int(found[2]))
    if (found := LONGER.search(message)) and int(found[1]) <= LONGEST:
        yield sized_axis(-1, None, int(found[1]) + LENGTH)
    if TOO_SMALL.search(message):
        for size in (32, 64, 128, 224):
            yield square_sides(size)
    if WANTS_SIZES.search(message):
        yield lambda spec: TupleSpec((SIDE, SIDE)) if spec.shape else None
        yield lambda spec: TupleSpec((VOLUME, VOLUME, VOLUME)) if spec.shape else None
