"""Which values differ, and the steps that turn one list into another."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec

from esper_audit.yaml_reading import Value


class Steps(msgspec.Struct, frozen=True):
    """How a list becomes another: pairs of positions whose items differ, positions (of the old list)
    that go, and new items by the number of old ones in front of them.
    """

    changed: list[tuple[int, int]]
    gone: list[int]
    fresh: dict[int, list[Value]]


def same(one: object, other: object) -> bool:
    """Compare two values; unlike `==`, not a number is itself, and 1 is neither 1.0 nor true."""
    return _encoded(one) == _encoded(other)


def steps(before: Sequence[Value], after: Sequence[Value]) -> Steps:
    """Return the steps from one list to another; items that are equal stay as they are."""
    result = Steps([], [], {})
    matcher = difflib.SequenceMatcher(
        None, list(map(_encoded, before)), list(map(_encoded, after)), autojunk=False
    )
    for step, first, last, new_first, new_last in matcher.get_opcodes():
        if step == "equal":
            continue
        both = min(last - first, new_last - new_first)
        result.changed.extend((first + i, new_first + i) for i in range(both))
        result.gone.extend(range(first + both, last))
        if new_first + both < new_last:
            result.fresh[first + both] = list(after[new_first + both : new_last])
    return result


def _encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value, order="sorted")
