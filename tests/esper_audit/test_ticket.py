"""Tickets: one table of moves, ids that follow from the finding, and what a fixer offers beside people's options."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from findings import a_finding

from esper_audit.errors import TicketError
from esper_audit.finding import Edit
from esper_audit.ticket import Ticket
from esper_audit.ticket_of_finding import from_finding, refreshed
from esper_audit.ticket_parts import FixOption, Resolution
from esper_audit.ticket_states import MOVES, NEEDS_EVIDENCE, ResolutionKind, Status

DAY = "2026-05-04"
PAIRS = list(itertools.product(Status, Status))


def a_ticket(status: Status = Status.OPEN) -> Ticket:
    ticket = from_finding(a_finding(), why="it hurts", date=DAY)
    return msgspec.structs.replace(ticket, status=status)


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a} to {b}" for a, b in PAIRS])
def test_a_status_moves_only_where_the_table_allows(before: Status, after: Status) -> None:
    resolution = Resolution(kind=ResolutionKind.DOCUMENTED, evidence="the note in the docstring")
    ticket = msgspec.structs.replace(a_ticket(before), resolution=resolution)
    if after in MOVES[before]:
        moved = ticket.moved(after, date=DAY, by="jo", why="because")
        assert moved.status is after
        assert moved.history[-1].before == before
    else:
        with pytest.raises(TicketError, match=f"cannot go from {before} to {after}"):
            ticket.moved(after, date=DAY, by="jo", why="because")


@pytest.mark.parametrize("after", sorted(NEEDS_EVIDENCE))
def test_a_resolution_without_evidence_is_refused(after: Status) -> None:
    with pytest.raises(TicketError, match="needs a resolution with evidence"):
        a_ticket().moved(after, date=DAY, by="jo", why="I say so")


def test_an_id_follows_from_the_finding_alone() -> None:
    one = from_finding(a_finding(), why="it hurts", date="2026-01-01")
    other = from_finding(a_finding(), why="other words", date="2027-12-31")
    assert one.id == other.id == f"EA-{a_finding().fingerprint[:8]}"


def test_refreshing_keeps_the_options_that_people_wrote() -> None:
    by_hand = FixOption(option="Document it", text="Say so in the docstring.")
    ticket = msgspec.structs.replace(a_ticket(), fix=[by_hand])
    edit = Edit(1, 1, 1, 5, "new", safe=False, description="require it")
    offered = refreshed(ticket, msgspec.structs.replace(a_finding(), edit=edit))
    assert [option.option for option in offered.fix] == ["require it", "Document it"]
    assert refreshed(ticket, a_finding()).fix == [by_hand]
