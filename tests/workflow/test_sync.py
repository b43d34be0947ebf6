"""Tickets are opened, refreshed, closed and reopened; a file that was not looked at closes none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import load_contracts
from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed, Suppression
from esper_audit.tickets.parts import Resolution
from esper_audit.tickets.states import ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.sync import SyncResult, sync

CONTRACTS = load_contracts()
CHECK = "unauthorised-hasattr"
DAY = "2026-05-04"


def audit(tmp_path: Path, *findings: Finding, checked: bool = True) -> Audit:
    (tmp_path / "model.py").touch()
    return Audit(
        root=str(tmp_path),
        findings=list(findings),
        suppressed=[],
        not_analysed=[],
        files=1,
        checks=[CHECK],
        off=[],
        checked={"model.py": frozenset({CHECK} if checked else ())},
    )


def opened(tmp_path: Path) -> dict[str, Ticket]:
    return sync({}, audit(tmp_path, a_finding()), CONTRACTS, DAY).tickets


def only(result: SyncResult) -> Ticket:
    (ticket,) = result.tickets.values()
    return ticket


def test_a_finding_without_ticket_gets_one(tmp_path: Path) -> None:
    result = sync({}, audit(tmp_path, a_finding()), CONTRACTS, DAY)
    assert result.opened == [only(result).id]
    assert only(result).status is Status.OPEN
    assert only(result).why_it_matters == CONTRACTS["no-hasattr"].why


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    known = opened(tmp_path)
    result = sync(known, audit(tmp_path, a_finding()), CONTRACTS, "2027-01-01")
    assert result == SyncResult(known, [], [], [])


def test_a_moved_line_is_refreshed_without_history(tmp_path: Path) -> None:
    known = opened(tmp_path)
    ticket = only(sync(known, audit(tmp_path, a_finding(line=9)), CONTRACTS, DAY))
    assert ticket.locations[0].lines == "9"
    assert ticket.history == only(sync(known, audit(tmp_path, a_finding()), CONTRACTS, DAY)).history


def test_a_finding_that_is_gone_is_fixed_and_one_that_is_back_is_open(tmp_path: Path) -> None:
    gone = sync(opened(tmp_path), audit(tmp_path), CONTRACTS, DAY)
    assert (only(gone).status, gone.fixed) == (Status.FIXED, [only(gone).id])
    back = sync(gone.tickets, audit(tmp_path, a_finding()), CONTRACTS, DAY)
    assert (only(back).status, back.reopened) == (Status.OPEN, [only(back).id])
    assert [change.after for change in only(back).history] == ["open", "fixed", "open"]


@pytest.mark.parametrize(
    "problem",
    [NotAnalysed("model.py", "does not parse"), NotAnalysed("model.py", "it raised", check=CHECK)],
    ids=["the file did not parse", "the rule raised"],
)
def test_what_was_not_looked_at_closes_nothing(tmp_path: Path, problem: NotAnalysed) -> None:
    run = msgspec.structs.replace(audit(tmp_path), not_analysed=[problem])
    assert sync(opened(tmp_path), run, CONTRACTS, DAY).fixed == []


def test_a_rule_that_is_off_closes_nothing(tmp_path: Path) -> None:
    assert sync(opened(tmp_path), audit(tmp_path, checked=False), CONTRACTS, DAY).fixed == []


def test_a_finding_that_somebody_authorised_is_not_fixed(tmp_path: Path) -> None:
    authorised = Suppressed(a_finding(), Suppression("inline", "third-party"))
    run = msgspec.structs.replace(audit(tmp_path), suppressed=[authorised])
    assert sync(opened(tmp_path), run, CONTRACTS, DAY).fixed == []


def test_a_deleted_file_closes_its_tickets(tmp_path: Path) -> None:
    known, run = opened(tmp_path), audit(tmp_path, checked=False)
    (tmp_path / "model.py").unlink()
    assert len(sync(known, run, CONTRACTS, DAY).fixed) == 1


def test_an_accepted_ticket_keeps_standing(tmp_path: Path) -> None:
    (ticket,) = opened(tmp_path).values()
    resolution = Resolution(kind=ResolutionKind.WONT_FIX, evidence="no public counter exists")
    accepted = msgspec.structs.replace(ticket, resolution=resolution).with_status(
        Status.WONT_FIX, date=DAY, by="jo", why="no public counter exists"
    )
    result = sync({ticket.id: accepted}, audit(tmp_path, a_finding()), CONTRACTS, DAY)
    assert (only(result).status, result.opened, result.reopened) == (Status.WONT_FIX, [], [])
