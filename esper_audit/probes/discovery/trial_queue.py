"""The arguments that a search has still to try, those after the furthest failure first."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.recipes.values import Arguments

MOST_FOLLOWED = 2  # candidates with one failure, of which the rest fails for the same reason
FURTHEST = (1 << 30,)  # a line after all others: what was built and could not be called


@dataclass(order=True, frozen=True)
class QueuedTrial:
    """Arguments to try, with the failure that suggested them, and how many failures led to them."""

    rank: tuple[tuple[int, ...], int, int]
    arguments: Arguments = field(compare=False)
    cause: TrialFailure | None = field(compare=False, default=None)
    depth: int = field(compare=False, default=0)

    def is_no_better(self, failure: TrialFailure) -> bool:
        """Return whether a failure is the one that suggested the arguments: what was changed did not matter."""
        return self.cause is not None and self.cause.repeats(failure)


class TrialQueue:
    """A queue of arguments without repetitions.

    What a failure suggests comes before what an earlier line suggested, and what fewer failures led to before
    the rest.
    """

    def __init__(self, first: Arguments) -> None:
        self._queue: list[QueuedTrial] = []
        self._seen: list[Arguments] = []
        self._followed: Counter[tuple[object, object]] = Counter()
        self._numbers = itertools.count()
        self._push(first, FURTHEST, None, 0)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def pop(self) -> QueuedTrial:
        """Return the next arguments to try."""
        return heapq.heappop(self._queue)

    def add_after(
        self, failure: TrialFailure, parent: QueuedTrial, suggested: Iterable[Arguments]
    ) -> None:
        """Add what a failure of a candidate suggests, unless it was followed from others before."""
        self._followed[failure.key, parent.rank] += 1
        if len([key for key, _ in self._followed if key == failure.key]) > MOST_FOLLOWED:
            return
        for arguments in suggested:
            self._push(arguments, failure.position, failure, parent.depth + 1)

    def add_first(self, suggested: Iterable[Arguments]) -> None:
        """Add arguments that are tried before all others."""
        for arguments in suggested:
            self._push(arguments, FURTHEST, None, 0)

    def add_last(self, suggested: Iterable[Arguments]) -> None:
        """Add arguments that are tried when nothing else is left."""
        for arguments in suggested:
            self._push(arguments, (), None, 0)

    def _push(
        self,
        arguments: Arguments,
        position: tuple[int, ...],
        cause: TrialFailure | None,
        depth: int,
    ) -> None:
        if arguments in self._seen:
            return
        self._seen.append(arguments)
        late = tuple(-line for line in (*position, 0))
        rank = (late if position else (1,), depth, next(self._numbers))
        heapq.heappush(self._queue, QueuedTrial(rank, arguments, cause, depth))
