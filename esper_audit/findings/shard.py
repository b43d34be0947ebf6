"""A shard: one of several equal parts of the work, each done by another machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

Item = TypeVar("Item")
PATTERN = re.compile(r"(\d+)/(\d+)")


class Shard(msgspec.Struct, frozen=True, order=True):
    """The part `number` of `total`, from 1, by default the whole."""

    number: int = 1
    total: int = 1

    @property
    def is_whole(self) -> bool:
        """Return whether there is one part alone."""
        return self.total == 1

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Return every `total`-th item, which spreads neighbours of a like cost."""
        return [*items[self.number - 1 :: self.total]]

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


WHOLE = Shard()


def parse_shard(text: str) -> Shard | None:
    """Return the shard of a text such as `2/4`, or None if it names none."""
    match = PATTERN.fullmatch(text)
    if match is None:
        return None
    number, total = int(match[1]), int(match[2])
    return Shard(number, total) if 1 <= number <= total else None
