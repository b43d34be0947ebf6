"""Changes by hand are added to the history and checked like others; they win over proposed severities."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Severity
from esper_audit.tickets.parts import Change, Related, Relation, Resolution
from esper_audit.tickets.states import ACTIVE, MOVES, STATUS_OF, ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.hand_edits import note_hand_edit, update_severities
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

DAY, LATER = "2026-05-04", "2026-06-01"
PAIRS = [(a, b) for a, b in itertools.product(Status, Status) if a is not b]


def a_ticket(**changes: object) -> Ticket:
    ticket = ticket_from_finding(a_finding(), why="it hurts", date=DAY)
    return msgspec.structs.replace(ticket, **changes)


def at(status: Status) -> Ticket:
    first = Change(date=DAY, by="jo", after=status, why="so it was")
    return a_ticket(status=status, history=[first])


def test_a_ticket_that_nobody_touched_stays_as_it_is() -> None:
    assert note_hand_edit(a_ticket(), LATER) == a_ticket()


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a} to {b}" for a, b in PAIRS])
def test_a_status_changed_by_hand_is_held_to_the_table(before: Status, after: Status) -> None:
    kind = next((kind for kind, status in STATUS_OF.items() if status is after), None)
    edited = msgspec.structs.replace(
        at(before),
        status=after,
        resolution=Resolution(kind=kind, evidence="seen") if kind else None,
        related=[Related(id="X", relation=Relation.DUPLICATE)],
    )
    if after not in MOVES[before]:
        with pytest.raises(TicketError, match=f"status: cannot change from {before} to {after}"):
            note_hand_edit(edited, LATER)
        return
    line = note_hand_edit(edited, LATER).history[-1]
    assert (line.date, line.by, line.before, line.after) == (LATER, "by hand", before, after)
    assert note_hand_edit(note_hand_edit(edited, LATER), "2027-01-01") == note_hand_edit(
        edited, LATER
    )


@pytest.mark.parametrize("after", sorted(set(Status) - ACTIVE))
def test_a_resolution_by_hand_without_evidence_is_refused(after: Status) -> None:
    edited = msgspec.structs.replace(at(Status.OPEN), status=after)
    with pytest.raises(TicketError, match=f"status: {after} needs a resolution with evidence"):
        note_hand_edit(edited, LATER)


def test_a_ticket_that_somebody_wrote_gets_its_first_line_and_its_proposal() -> None:
    written = note_hand_edit(a_ticket(history=[], proposed_severity=None), LATER)
    assert written.history == [Change(date=DAY, by="by hand", after="open", why="written")]
    assert written.proposed_severity is written.severity


def test_a_severity_changed_by_hand_is_noted_with_its_reason() -> None:
    edited = a_ticket(severity=Severity.P1, severity_reason="callers hit it")
    line = note_hand_edit(edited, LATER).history[-1]
    assert line == Change(date=LATER, by="by hand", before="P3", after="P1", why="callers hit it")
    assert note_hand_edit(note_hand_edit(edited, LATER), LATER) == note_hand_edit(edited, LATER)


def test_a_severity_follows_the_check_until_a_person_has_a_reason() -> None:
    worse = msgspec.structs.replace(a_finding(), severity=Severity.P1)
    free, held = a_ticket(id="A"), a_ticket(id="B", severity_reason="agreed with the owner")
    tickets = update_severities({"A": free, "B": held}, [worse], LATER)
    assert (tickets["A"].severity, tickets["A"].history[-1].why) == (
        Severity.P1,
        "`unauthorised-hasattr` proposes it now",
    )
    assert (tickets["B"].severity, tickets["B"].proposed_severity) == (Severity.P3, Severity.P1)
    assert tickets["B"].history == held.history


def test_a_finding_of_the_same_severity_changes_nothing() -> None:
    assert update_severities({"A": a_ticket()}, [a_finding()], LATER) == {"A": a_ticket()}


def test_documented_is_a_way_to_be_fixed() -> None:
    end = Resolution(kind=ResolutionKind.DOCUMENTED, evidence="in the docstring")
    assert note_hand_edit(a_ticket(status=Status.FIXED, resolution=end), LATER).history[-1].why == (
        "documented"
    )
