"""A count as people write it, `3` or `at least 1`, and whether what was counted meets it, for certain."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec

from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted
from esper_audit.project.file_roles import Role
from esper_audit.source.index.records import Place

Count = (
    Annotated[int, msgspec.Meta(ge=0)]
    | Annotated[str, msgspec.Meta(pattern=r"^at (least|most) \d+$")]
)
MOST_PLACES = 6


class PossibleCount(NamedTuple):
    """How many are certain, and how many more there may be: unclear ones, and without bound in files unread."""

    certain: int
    unclear: int = 0
    unread: tuple[str, ...] = ()

    def meets(self, count: Count) -> bool | None:
        """Return whether the count is met whatever the unclear ones are; None if it depends on them."""
        most = math.inf if self.unread else self.certain + self.unclear
        low, high = _bounds(count)
        if low <= self.certain and most <= high:
            return True
        return False if most < low or self.certain > high else None


def judged(tally: PossibleCount, count: Count, said: str, places: Iterable[str]) -> Reply:
    """Return the reply: what was counted, in words, against what was claimed."""
    met = tally.meets(count)
    if met is None:
        why = f"{tally.unclear} more may count" if tally.unclear else "files were not read"
        unread = f"; not looked at: {', '.join(tally.unread)}" if tally.unread else ""
        return cannot_tell(f"{said}; {why}{unread}", *places)
    return holds(said, *places) if met else refuted(f"{said}, not {count}", *places)


def shown(places: Iterable[Place]) -> list[str]:
    """Return places as people follow them, each line once, the first of many."""
    return lines_of((place.path, place.line) for place in places)


def lines_of(lines: Iterable[tuple[str, int]]) -> list[str]:
    """Return lines of files in order, each once, the first of many."""
    return [f"{path}:{line}" for path, line in sorted(set(lines))[:MOST_PLACES]]


def elsewhere(roles: Iterable[Role], among: Role) -> str:
    """Say how many were found in files of another role than the one that counts."""
    others = [role for role in roles if role is not among]
    parts = [f"{others.count(role)} in {role} files" for role in Role if role in others]
    return f" ({', '.join(parts)} not counted)" if parts else ""


def _bounds(count: Count) -> tuple[int, float]:
    if isinstance(count, int):
        return count, count
    number = int(count.rpartition(" ")[2])
    return (number, math.inf) if count.startswith("at least") else (0, number)
