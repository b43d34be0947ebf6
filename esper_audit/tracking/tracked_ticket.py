"""What tracking reads of a ticket, whichever record holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from esper_audit.tracking.context_hash import ContextHash

# A ticket of this status no longer excuses its finding: the finding was gone when it was set.
RESOLVED_BY_CHANGE = "fixed"
# Tickets of these statuses excuse it, for good or until a day.
ACCEPTED = frozenset({"not-a-bug", "wont-fix", "duplicate"})


class TrackedPlace(Protocol):
    """Where the finding of a ticket was."""

    @property
    def path(self) -> str:
        """The file, relative to the root."""

    @property
    def symbol(self) -> str:
        """The dotted name of the class or function, empty for the module."""

    @property
    def lines(self) -> str:
        """The lines when the ticket was last refreshed: `12`, `12-15`, `12, 20` or empty."""


class TrackedTicket(Protocol):
    """A ticket that was opened for a finding, with at least one place."""

    @property
    def id(self) -> str:
        """The ticket's id."""

    @property
    def status(self) -> str:
        """The ticket's status."""

    @property
    def check(self) -> str:
        """The id of the check that reported the finding."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the finding."""

    @property
    def locations(self) -> Sequence[TrackedPlace]:
        """The places of the finding, of which tracking reads the first."""

    @property
    def likeness(self) -> ContextHash | None:
        """The context hash of the finding, None in a ticket that has none."""
