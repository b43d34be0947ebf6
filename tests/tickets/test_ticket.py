"""The record of a ticket: its table of states, its id, and the options to fix it."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Edit, Severity
from esper_audit.tickets.parts import Change, FixOption, Related, Relation, Resolution
from esper_audit.tickets.states import (
    MOVES,
    NEEDS_EVIDENCE,
    RESOLVED,
    STATUS_OF,
    ResolutionKind,
    Status,
)
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.ticket_from_finding import refresh_ticket, ticket_from_finding

DAY = "2026-05-04"
PAIRS = list(itertools.product(Status, Status))


def a_ticket(status: Status = Status.OPEN) -> Ticket:
    ticket = ticket_from_finding(a_finding(), why="it hurts", date=DAY)
    return msgspec.structs.replace(ticket, status=status)


def shown(ticket: Ticket, after: Status) -> Ticket:
    """Return the ticket with everything that may be asked for on the way to a state."""
    kind = next((kind for kind, status in STATUS_OF.items() if status is after), None)
    end = Resolution(kind=kind, evidence="the note in the docstring") if kind else None
    other = Related(id="X-1", relation=Relation.DUPLICATE)
    return msgspec.structs.replace(ticket, resolution=end, related=[other])


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a} to {b}" for a, b in PAIRS])
def test_a_status_changes_only_where_the_table_allows(before: Status, after: Status) -> None:
    ticket = shown(a_ticket(before), after)
    if after in MOVES[before]:
        moved = ticket.with_status(after, date=DAY, by="jo", why="because")
        assert moved.status is after
        assert moved.history[:-1] == ticket.history
        assert moved.history[-1] == Change(
            date=DAY, by="jo", before=before, after=after, why="because"
        )
    else:
        with pytest.raises(
            TicketError, match=rf"cannot change from {before} to {after} \(allowed: "
        ):
            ticket.with_status(after, date=DAY, by="jo", why="because")


def test_the_table_has_every_state_and_leads_back_from_each() -> None:
    assert MOVES.keys() == set(Status)
    assert all(status not in moves for status, moves in MOVES.items())
    assert all(Status.OPEN in MOVES[status] for status in RESOLVED)
    assert set(STATUS_OF) == set(ResolutionKind)
    assert set(STATUS_OF.values()) == RESOLVED


ENDS = list(
    itertools.product(ResolutionKind, ["", " \n", "seen"], [[], ["abcd123"]], [False, True])
)


@pytest.mark.parametrize(("kind", "evidence", "commits", "linked"), ENDS)
def test_a_resolution_needs_its_evidence(
    kind: ResolutionKind, evidence: str, commits: list[str], linked: bool
) -> None:
    links = [Related(id="X-1", relation=Relation.DUPLICATE)] if linked else []
    ticket = msgspec.structs.replace(a_ticket(), related=links)
    end = Resolution(kind=kind, evidence=evidence, commits=commits)
    is_shown = evidence == "seen" or (kind is ResolutionKind.FIXED and bool(commits))
    if is_shown and (linked or kind is not ResolutionKind.DUPLICATE):
        resolved = ticket.with_resolution(end, date=DAY, by="jo", why="because")
        assert (resolved.status, resolved.resolution) == (STATUS_OF[kind], end)
    else:
        with pytest.raises(TicketError, match=f"{kind} needs "):
            ticket.with_resolution(end, date=DAY, by="jo", why="because")


@pytest.mark.parametrize("after", sorted(NEEDS_EVIDENCE))
def test_a_state_without_its_own_resolution_is_refused(after: Status) -> None:
    with pytest.raises(TicketError, match=f"{after} needs a resolution with evidence"):
        a_ticket().with_status(after, date=DAY, by="jo", why="I say so")
    other = Resolution(kind=ResolutionKind.DOCUMENTED, evidence="in the docstring")
    ticket = msgspec.structs.replace(a_ticket(), resolution=other)
    with pytest.raises(TicketError, match=f"{after} needs a resolution with evidence"):
        ticket.with_status(after, date=DAY, by="jo", why="I say so")


def test_a_finding_that_is_gone_needs_no_resolution() -> None:
    closed = a_ticket().with_status(Status.FIXED, date=DAY, by="esper-audit", why="gone")
    assert closed.status is Status.FIXED


def test_a_change_of_severity_is_a_line_of_history() -> None:
    rated = a_ticket().with_severity(Severity.P1, date=DAY, by="jo", why="callers hit it")
    assert rated.severity is Severity.P1
    assert rated.history[-1] == Change(
        date=DAY, by="jo", before="P3", after="P1", why="callers hit it"
    )


def test_an_id_follows_from_the_finding_alone() -> None:
    one = ticket_from_finding(a_finding(), why="it hurts", date="2026-01-01")
    other = ticket_from_finding(a_finding(), why="other words", date="2027-12-31")
    assert one.id == other.id == f"EA-{a_finding().fingerprint[:8]}"


def test_refreshing_keeps_the_options_that_people_wrote() -> None:
    by_hand = FixOption(option="Document it", text="Say so in the docstring.")
    ticket = msgspec.structs.replace(a_ticket(), fix=[by_hand])
    edit = Edit(1, 1, 1, 5, "new", safe=False, description="require it")
    offered = refresh_ticket(ticket, msgspec.structs.replace(a_finding(), edit=edit))
    assert [option.option for option in offered.fix] == ["require it", "Document it"]
    assert refresh_ticket(ticket, a_finding()).fix == [by_hand]


def test_the_fixers_change_is_shown_on_the_lines_of_the_evidence() -> None:
    edit = Edit(3, 8, 3, 26, "isinstance(host, X)", safe=True, description="ask the type")
    (option,) = refresh_ticket(a_ticket(), msgspec.structs.replace(a_finding(), edit=edit)).fix
    assert option.diff.split("\n") == [
        '-    if hasattr(host, "x"):',
        "+    if isinstance(host, X):",
        "         pass",
    ]
    assert "`esper-audit check model.py --fix`" in option.text


def test_a_change_beyond_the_evidence_is_shown_alone() -> None:
    edit = Edit(1, 1, 1, 1, "import x\n", safe=True, description="import it")
    (option,) = refresh_ticket(a_ticket(), msgspec.structs.replace(a_finding(), edit=edit)).fix
    assert option.diff == "import x\n"
