"""The sizes of a small model, by the names that settings give them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from esper_audit.probes.recipes.values import Value

LAYERS = re.compile(
    r"(.*_)?(layers?|blocks?|depths?)(_num)?|n_?layers?|num_.*_layers", re.IGNORECASE
)
HEADS = re.compile(r"(.*_)?n?heads?", re.IGNORECASE)
OF_HEAD = re.compile(r"(.*_)?(head_dim|dim_head|head_size|d_kv|d_head|d_k|d_v)", re.IGNORECASE)
INPUT_WIDTH = re.compile(r"in(put)?_?(features|dim|size|channels)|embed(ding)?_?(dim|size)|d_model")
MAIN_WIDTH = re.compile(
    r"hidden_(size|dim)|d_model|n_embd|embed(ding)?_?(dim|size)|dim|width|model_dim|d_embed",
    re.IGNORECASE,
)
WIDTH = re.compile(
    r"(.*_)?(dim|dims|width|hidden|size|sizes|channels|features|n_embd|n_inner|d_model|d_ff|planes|embed|rank)",
    re.IGNORECASE,
)
WIDTH_OF = re.compile(r"(dim|width|channels|features|size)_\w+", re.IGNORECASE)  # such as dim_in
NO_WIDTH = re.compile(
    r".*(vocab|image|patch|kernel|window|block|batch|chunk|group|conv|sample|crop|grid|bucket|cache"
    r"|tile|pool|stride|mel|num_channels|in_channels|state|type|time_step|shard|resolution).*",
    re.IGNORECASE,
)
WORDS = re.compile(
    r"(.*_)?(vocab(ulary)?_?(size)?|num_tokens|n_tokens|num_embeddings)", re.IGNORECASE
)
POSITIONS = re.compile(
    r"(.*_)?(max_.*positions?|.*position_embeddings|n_?positions?|n_ctx|(max_)?seq(uence)?_?len(gth)?"
    r"|context_?len(gth)?|block_size|max_len(gth)?)",
    re.IGNORECASE,
)
EXPERTS = re.compile(r"(.*_)?(num|n)_.*experts?(_per_.*)?", re.IGNORECASE)
OF_WORD = re.compile(r".*_(id|idx|index)", re.IGNORECASE)
FEW_LAYERS, FEW_HEADS, FEW_EXPERTS = 2, 4, 4
HEAD_WIDTH = 16
LEAST_WIDTH = 8  # and what a width is a multiple of
NARROW = 128  # a main width up to this is small
FEW_WORDS = 128
FEW_POSITIONS = 64
MOST_PARAMETERS = 5e7  # of a model in the sizes that a class defaults to
Sizes: TypeAlias = Mapping[str, Any]  # a whole number, or a list of these
Changes: TypeAlias = dict[str, Value]


def is_size(value: Any) -> bool:
    """Return whether a value is a whole number, or a list of these."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(type(item) is int for item in value)
    return type(value) is int


def smaller_sizes(sizes: Sizes) -> Iterator[Changes]:
    """Yield smaller values of some sizes: of all, of all but the widths, of the layers."""
    words = [v for n, v in sizes.items() if isinstance(v, int) and WORDS.fullmatch(n)]
    layers = _mapped(sizes, LAYERS, lambda number: min(number, FEW_LAYERS))
    lengths = _mapped(sizes, WORDS, lambda number: min(number, FEW_WORDS))
    lengths |= _mapped(sizes, POSITIONS, lambda number: min(number, FEW_POSITIONS))
    if words and max(words) > FEW_WORDS:
        lengths |= _mapped(sizes, OF_WORD, lambda number: min(number, FEW_WORDS - 1))
    widths = {**_widths(sizes), **_mapped(sizes, EXPERTS, lambda number: min(number, FEW_EXPERTS))}
    yield {**widths, **lengths, **layers}
    yield {**lengths, **layers}
    yield layers


def _mapped(sizes: Sizes, names: re.Pattern[str], change: Any) -> Changes:
    """Return the sizes of some names that a change makes different."""
    found: Changes = {}
    for name, value in sizes.items():
        new = [change(one) for one in value] if isinstance(value, (list, tuple)) else change(value)
        if names.fullmatch(name) and new != value:
            found[name] = new
    return found


def _widths(sizes: Sizes) -> Changes:
    """Return numbers of heads and widths that are smaller by one factor, so that they divide as before."""
    scalars = {name: value for name, value in sizes.items() if isinstance(value, int)}
    main = next((v for n, v in scalars.items() if MAIN_WIDTH.fullmatch(n)), 0)
    heads = {n: v for n, v in scalars.items() if HEADS.fullmatch(n) and v > 0}
    most = max(heads.values(), default=1)
    if main <= NARROW:
        return {}
    few = math.gcd(most, FEW_HEADS)
    small = few * HEAD_WIDTH * max(1, FEW_HEADS // few)
    found: Changes = {name: max(1, value * few // most) for name, value in heads.items()}
    for name, value in scalars.items():
        if OF_HEAD.fullmatch(name):
            found[name] = _narrowed(value, main * few, small * most)
        elif (
            WIDTH.fullmatch(name) and not NO_WIDTH.fullmatch(name) and not POSITIONS.fullmatch(name)
        ):
            found[name] = _narrowed(value, main, small)
    return found


def _narrowed(width: int, main: int, small: int) -> int:
    """Return a width in proportion to the main one, not below the least one."""
    if width < LEAST_WIDTH:
        return width
    return max(LEAST_WIDTH, width * small // main // LEAST_WIDTH * LEAST_WIDTH)


def is_large(sizes: Sizes) -> bool:
    """Return whether a transformer of some sizes has more parameters than a search should draw."""
    scalars = {name: value for name, value in sizes.items() if isinstance(value, int)}
    width = max((v for n, v in scalars.items() if MAIN_WIDTH.fullmatch(n)), default=0)
    layers = max((v for n, v in scalars.items() if LAYERS.fullmatch(n)), default=1)
    words = max((v for n, v in scalars.items() if WORDS.fullmatch(n)), default=0)
    return 12 * layers * width**2 + words * width > MOST_PARAMETERS
