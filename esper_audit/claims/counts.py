"""Whether a count of certain and possible matches meets the count of a claim, `3` or `at least 1`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from esper_audit.claims.records import Count
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted
from esper_audit.project.file_roles import Role
from esper_audit.source.index.records import Place

MOST_PLACES = 6


class PossibleCount(NamedTuple):
    """The number of certain matches, of uncertain ones, and the files that were not read.

    A file that was not read may contain any number of matches.
    """

    certain: int
    uncertain: int = 0
    unread: tuple[str, ...] = ()

    def meets(self, count: Count) -> bool | None:
        """Return whether the count is met, None if that depends on the uncertain matches."""
        most = math.inf if self.unread else self.certain + self.uncertain
        low, high = _bounds(count)
        if low <= self.certain and most <= high:
            return True
        return False if most < low or self.certain > high else None


def compare_counts(
    found: PossibleCount, claimed: Count, description: str, places: Iterable[str]
) -> Reply:
    """Return the reply for what was found, as the description states it, against the count claimed."""
    met = found.meets(claimed)
    if met is None:
        reason = f"{found.uncertain} more may count" if found.uncertain else "files were not read"
        unread = f"; not looked at: {', '.join(found.unread)}" if found.unread else ""
        return cannot_tell(f"{description}; {reason}{unread}", *places)
    if met:
        return holds(description, *places)
    return refuted(f"{description}, not {claimed}", *places)


def first_places(places: Iterable[Place]) -> list[str]:
    """Return the first places as `path:line`, sorted, each line once."""
    return first_lines((place.path, place.line) for place in places)


def first_lines(lines: Iterable[tuple[str, int]]) -> list[str]:
    """Return the first lines of files as `path:line`, sorted, each once."""
    return [f"{path}:{line}" for path, line in sorted(set(lines))[:MOST_PLACES]]


def other_roles(roles: Iterable[Role], counted: Role) -> str:
    """Return how many matches are in files of a role that is not counted, in words."""
    others = [role for role in roles if role is not counted]
    parts = [f"{others.count(role)} in {role} files" for role in Role if role in others]
    return f" ({', '.join(parts)} not counted)" if parts else ""


def by_name_only(number: int) -> str:
    """Return how many matches are known by their name only, which may be that of another thing."""
    return f", {number} more by name only" if number else ""


def _bounds(count: Count) -> tuple[int, float]:
    if isinstance(count, int):
        return count, count
    number = int(count.rpartition(" ")[2])
    return (number, math.inf) if count.startswith("at least") else (0, number)
