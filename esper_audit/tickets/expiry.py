"""Tickets whose finding is accepted until a day: those that ended, and those that end soon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from esper_audit.tickets.parts import TOOL
from esper_audit.tickets.states import ACCEPTED, Status
from esper_audit.tickets.ticket import Ticket


def reopen_expired(tickets: Mapping[str, Ticket], today: str) -> dict[str, Ticket]:
    """Return the tickets, those open again whose acceptance has ended."""
    return {
        ticket_id: _reopened(ticket, today) if has_expired(ticket, today) else ticket
        for ticket_id, ticket in tickets.items()
    }


def has_expired(ticket: Ticket, today: str) -> bool:
    """Return whether a finding was accepted until a day that is over."""
    until = _last_day(ticket)
    return bool(until) and until < today


def expiring_soon(tickets: Iterable[Ticket], days: int, today: str) -> list[Ticket]:
    """Return the accepted tickets that end within so many days, the next one first."""
    last = (date.fromisoformat(today) + timedelta(days=days)).isoformat()
    ending = [ticket for ticket in tickets if today <= _last_day(ticket) <= last]
    return sorted(ending, key=lambda ticket: (_last_day(ticket), ticket.id))


def _last_day(ticket: Ticket) -> str:
    """Return the last day of an accepted ticket, empty for another and for one without end."""
    is_accepted = ticket.status in ACCEPTED and ticket.resolution is not None
    return ticket.resolution.until if is_accepted and ticket.resolution else ""


def _reopened(ticket: Ticket, today: str) -> Ticket:
    assert ticket.resolution is not None
    before = next((change.before for change in reversed(ticket.history) if change.before), "")
    was = f", and it was {before} before" if before and before != Status.OPEN else ""
    why = f"{ticket.status} until {ticket.resolution.until}, which is over{was}"
    return ticket.with_status(Status.OPEN, date=today, by=TOOL, why=why)
