"""`--no-new` only makes tickets fewer, and `ticket accept` accepts many with one reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.audit_runs import GOOD, HASATTR, Ran, command, write

from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket

FILES = {"esper-audit.toml": 'profile = "strict"\n', "a.py": GOOD, "old/b.py": GOOD}
REASON = ("--evidence", "Older than the rule.", "--sign-off", "Ada")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with two findings that have tickets."""
    root = write(tmp_path_factory.mktemp("shrinking"), FILES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert command("ticket", "sync").status == 1
    return root


@pytest.fixture
def project(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the example, which is the current directory."""
    root = shutil.copytree(example, tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def tickets(root: Path) -> list[Ticket]:
    return list(TicketStore(str(root / "tickets")).load().values())


def statuses(root: Path) -> dict[str, str]:
    return {ticket.locations[0].path: str(ticket.status) for ticket in tickets(root)}


def sync(*arguments: str) -> Ran:
    return command("ticket", "sync", "--no-new", *arguments)


def test_without_new_findings_nothing_changes(project: Path) -> None:
    assert (sync().status, statuses(project)) == (0, {"a.py": "open", "old/b.py": "open"})


def test_a_new_finding_gets_no_ticket_and_fails(project: Path) -> None:
    write(project, {"new.py": GOOD})
    done = sync()
    assert done.status == 1
    assert f"without a ticket: P3 new.py:2:8 {HASATTR}" in done.out
    assert "new.py" not in statuses(project)


def test_a_finding_that_is_gone_closes_its_ticket(project: Path) -> None:
    (project / "a.py").write_text("")
    assert sync().status == 0
    assert statuses(project)["a.py"] == "fixed"


def test_a_new_finding_does_not_hide_behind_one_that_is_gone(project: Path) -> None:
    (project / "a.py").write_text("")
    write(project, {"new.py": GOOD.replace("cut", "paste").replace("segments", "pieces")})
    assert sync().status == 1


def test_many_tickets_are_accepted_with_one_reason(project: Path) -> None:
    done = command("ticket", "accept", "--path", "old/", *REASON)
    assert done.out == "1 ticket accepted\n"
    assert statuses(project) == {"a.py": "open", "old/b.py": "wont-fix"}
    (accepted,) = [ticket for ticket in tickets(project) if ticket.resolution]
    assert (accepted.history[-1].by, accepted.history[-1].why) == ("Ada", "Older than the rule.")


def test_a_ticket_to_which_a_review_objects_stays(project: Path) -> None:
    first, second = sorted(ticket.id for ticket in tickets(project))
    command("ticket", "review", first, "--reviewer", "Mo", "--verdict", "object")
    done = command("ticket", "accept", "--all", *REASON, "--until", "2100-01-01")
    assert done.out == (
        f"1 ticket accepted until 2100-01-01\n  {first} stays active: a review objects\n"
    )
    assert second != first


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "name the tickets"),
        (("--all", "--check", HASATTR), "name the tickets"),
        (("--check", "unauthorized-hasattr"), "no ticket has the check"),
    ],
)
def test_what_is_accepted_has_to_be_named(
    project: Path, arguments: tuple[str, ...], error: str
) -> None:
    done = command("ticket", "accept", *arguments, *REASON)
    assert (done.status, error in done.err) == (2, True), done.err


def test_an_acceptance_without_evidence_is_refused(project: Path) -> None:
    done = command("ticket", "accept", "--all", "--evidence", " ")
    assert (done.status, "needs evidence" in done.err) == (2, True), done.err
    assert set(statuses(project).values()) == {"open"}
