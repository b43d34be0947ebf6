"""Filters and sorts tickets for a list: active ones first, then by severity."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

import msgspec

from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

ALL = "all"
ACTIVE_ONLY = "active"
ORDER = list(Status)


class TicketFilter(msgspec.Struct, frozen=True):
    """The values that a ticket must have.

    An empty list allows all. Paths are files, directories or patterns. A domain includes the domains inside it.
    """

    statuses: list[str] = []
    severities: list[str] = []
    domains: list[str] = []
    contracts: list[str] = []
    checks: list[str] = []
    paths: list[str] = []

    def __call__(self, ticket: Ticket) -> bool:
        """Return whether a ticket matches the filter."""
        return (
            self._has_status(ticket.status)
            and _is_among(ticket.severity, self.severities)
            and (not self.domains or any(is_within(ticket.domain, name) for name in self.domains))
            and _is_among(ticket.contract, self.contracts)
            and _is_among(ticket.check, self.checks)
            and self._has_place(ticket)
        )

    def _has_status(self, status: Status) -> bool:
        is_active = ACTIVE_ONLY in self.statuses and status in ACTIVE
        return is_active or ALL in self.statuses or _is_among(status, self.statuses)

    def _has_place(self, ticket: Ticket) -> bool:
        places = [place.path for place in ticket.locations]
        return not self.paths or any(_covers(path, p) for path in self.paths for p in places)


def is_within(domain: str, outer: str) -> bool:
    """Return whether a domain (`simic/rewards`) is equal to another or inside it (`simic`)."""
    outer = outer.rstrip("/")
    return domain == outer or (bool(outer) and domain.startswith(f"{outer}/"))


def sort_tickets(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Return tickets in the order of every list: active ones first, then by severity, status, id."""
    return sorted(tickets, key=lambda t: (t.status not in ACTIVE, t.severity, _rank(t), t.id))


def _rank(ticket: Ticket) -> int:
    return ORDER.index(ticket.status)


def _is_among(value: str, allowed: list[str]) -> bool:
    return not allowed or value in allowed


def _covers(pattern: str, path: str) -> bool:
    directory = pattern.rstrip("/") + "/"
    return path == pattern or path.startswith(directory) or fnmatch.fnmatch(path, pattern)
