"""Which tickets somebody wants to see, and in what order: what is active first, then the worst."""

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
    """The tickets wanted; an empty list wants all. Paths are files, directories or patterns; a
    domain stands for those inside it."""

    statuses: list[str] = []
    severities: list[str] = []
    domains: list[str] = []
    contracts: list[str] = []
    checks: list[str] = []
    paths: list[str] = []

    def __call__(self, ticket: Ticket) -> bool:
        """Return whether a ticket is wanted."""
        return (
            self._is_wanted_status(ticket.status)
            and _is_among(ticket.severity, self.severities)
            and (not self.domains or any(is_within(ticket.domain, name) for name in self.domains))
            and _is_among(ticket.contract, self.contracts)
            and _is_among(ticket.check, self.checks)
            and self._is_wanted_place(ticket)
        )

    def _is_wanted_status(self, status: Status) -> bool:
        is_active = ACTIVE_ONLY in self.statuses and status in ACTIVE
        return is_active or ALL in self.statuses or _is_among(status, self.statuses)

    def _is_wanted_place(self, ticket: Ticket) -> bool:
        places = [place.path for place in ticket.locations]
        return not self.paths or any(_covers(path, p) for path in self.paths for p in places)


def is_within(domain: str, wanted: str) -> bool:
    """Return whether a domain (`simic/rewards`) is the wanted one or lies in it (`simic`)."""
    outer = wanted.rstrip("/")
    return domain == outer or (bool(outer) and domain.startswith(f"{outer}/"))


def in_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Return tickets as they are listed everywhere."""
    return sorted(tickets, key=lambda t: (t.status not in ACTIVE, t.severity, _rank(t), t.id))


def _rank(ticket: Ticket) -> int:
    return ORDER.index(ticket.status)


def _is_among(value: str, wanted: list[str]) -> bool:
    return not wanted or value in wanted


def _covers(wanted: str, path: str) -> bool:
    directory = wanted.rstrip("/") + "/"
    return path == wanted or path.startswith(directory) or fnmatch.fnmatch(path, wanted)
