"""`rule --stats` shows how the tickets of each check ended; `rule CONTRACT` explains a contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import HASATTR, command

from esper_audit.findings.finding import Category, Severity
from esper_audit.reports.rule_outcomes import outcome_lines, rule_outcomes
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.terminal import WIDTH
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket


def a_ticket(number: int, check: str, status: Status) -> Ticket:
    return Ticket(
        id=f"EA-{number}",
        title="A finding",
        severity=Severity.P3,
        status=status,
        domain="slot",
        created="2026-06-15",
        categories=[Category.CORRECTNESS],
        locations=[],
        summary="A finding.",
        check=check,
    )


def tickets(check: str, *statuses: Status) -> list[Ticket]:
    return [a_ticket(number, check, status) for number, status in enumerate(statuses)]


def test_the_share_counts_the_decided_tickets_only() -> None:
    ended = [Status.FIXED] * 3 + [Status.NOT_A_BUG, Status.OPEN, Status.IN_REVIEW, Status.DUPLICATE]
    (outcome,) = rule_outcomes(tickets("x", *ended))
    assert (outcome.fixed, outcome.not_a_bug, outcome.wont_fix) == (3, 1, 0)
    assert (outcome.open, outcome.duplicate, outcome.share_fixed) == (2, 1, 0.75)
    assert not outcome.is_doubtful  # four are too few to doubt a rule


def test_a_check_without_a_decided_ticket_has_no_share() -> None:
    (outcome,) = rule_outcomes(tickets("x", Status.OPEN))
    assert (outcome.share_fixed, outcome.is_doubtful) == (None, False)


def test_a_check_of_which_too_few_are_fixed_is_named() -> None:
    good = tickets("good", *[Status.FIXED] * 9, Status.NOT_A_BUG)
    bad = tickets("bad", *[Status.FIXED] * 3, Status.NOT_A_BUG, Status.WONT_FIX)
    lines = list(outcome_lines(rule_outcomes([*good, *bad])))
    assert [line.split()[0] for line in lines[1:3]] == ["bad", "good"]
    assert lines[1].split()[1:] == ["-", "3", "1", "1", "-", "60%"]
    assert lines[3].startswith("bad: of 5 decided tickets 3 fixed, fewer than 90%. ")
    assert not any(line.startswith("good: ") for line in lines)


def test_the_table_fits_the_screen_with_the_longest_name_of_a_check() -> None:
    longest = max(CheckCatalogue([], "", []).checks, key=len)
    lines = outcome_lines(rule_outcomes(tickets(longest, *[Status.FIXED] * 3)))
    assert max(map(len, lines)) <= WIDTH


def test_a_ticket_that_no_check_opened_counts_for_none() -> None:
    assert list(outcome_lines(rule_outcomes(tickets("", Status.FIXED)))) == [
        "No ticket of this tree was opened by a check."
    ]


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here")
def test_a_tree_without_tickets_says_so() -> None:
    assert command("rule", "--stats").out == "No ticket of this tree was opened by a check.\n"
    assert json.loads(command("rule", "--stats", "--format", "json").out)["outcomes"] == []


@pytest.mark.usefixtures("_here")
def test_a_contract_is_explained_with_where_it_is_in_force() -> None:
    out = command("rule", "no-hasattr").out
    assert 'A policy: in force with policies = ["no-hasattr"], or profile strict.' in out
    assert f"  P3 {HASATTR}\n" in out
    universal = command("rule", "host-norm-guard").out
    assert "A universal contract: it is in force everywhere." in universal
    assert "In force: where a project adopts the policy no-hasattr" in command("rule", HASATTR).out


@pytest.mark.usefixtures("_here")
def test_the_checks_are_listed_as_json() -> None:
    checks = json.loads(command("rule", "--format", "json").out)["checks"]
    (one,) = [check for check in checks if check["id"] == HASATTR]
    assert (one["kind"], one["contract_kind"], one["roles"]) == ("rule", "policy", ["production"])
    assert command("rule", "nonsense", "--format", "json").status == 2
