"""The states of a ticket and the table of changes between them."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """The state of a ticket."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    IN_REVIEW = "in-review"
    FIXED = "fixed"
    NOT_A_BUG = "not-a-bug"
    WONT_FIX = "wont-fix"
    DUPLICATE = "duplicate"


class ResolutionKind(enum.StrEnum):
    """How a ticket was resolved."""

    FIXED = "fixed"
    ALREADY_FIXED = "already-fixed"
    DOCUMENTED = "documented"
    NOT_A_BUG = "not-a-bug"
    WONT_FIX = "wont-fix"
    DUPLICATE = "duplicate"


ACTIVE = frozenset({Status.OPEN, Status.INVESTIGATING, Status.IN_REVIEW})
ACCEPTED = frozenset({Status.NOT_A_BUG, Status.WONT_FIX, Status.DUPLICATE})
RESOLVED = frozenset({Status.FIXED, *ACCEPTED})
MOVES: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.INVESTIGATING, Status.IN_REVIEW}) | RESOLVED,
    Status.INVESTIGATING: frozenset({Status.OPEN, Status.IN_REVIEW}) | RESOLVED,
    Status.IN_REVIEW: frozenset({Status.OPEN, Status.INVESTIGATING}) | RESOLVED,
    Status.FIXED: frozenset({Status.OPEN}),
    Status.NOT_A_BUG: frozenset({Status.OPEN}),
    Status.WONT_FIX: frozenset({Status.OPEN}),
    Status.DUPLICATE: frozenset({Status.OPEN}),
}
# The findings of these tickets are excused for good, so evidence is required; FIXED is decided by the check.
NEEDS_EVIDENCE = ACCEPTED
STATUS_OF: dict[ResolutionKind, Status] = {
    ResolutionKind.FIXED: Status.FIXED,
    ResolutionKind.ALREADY_FIXED: Status.FIXED,
    ResolutionKind.DOCUMENTED: Status.FIXED,
    ResolutionKind.NOT_A_BUG: Status.NOT_A_BUG,
    ResolutionKind.WONT_FIX: Status.WONT_FIX,
    ResolutionKind.DUPLICATE: Status.DUPLICATE,
}
