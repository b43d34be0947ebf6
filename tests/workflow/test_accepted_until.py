"""A ticket accepted until a day is open again after it: in `check`, in `run`, and announced before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.audit_runs import GOOD, audit, command, write

from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.project.config import find_project
from esper_audit.tickets.parts import Resolution
from esper_audit.tickets.states import ResolutionKind, Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.actions import TicketActions
from esper_audit.workflow.run import AuditRun, preview, run

BEFORE, LAST_DAY, AFTER = "2026-06-01", "2026-06-20", "2026-06-21"
ACCEPTED = Resolution(
    kind=ResolutionKind.WONT_FIX, until=LAST_DAY, evidence="Until 3.0.", sign_off="Ada"
)
FILES = {"esper-audit.toml": 'profile = "strict"\n', "plugin.py": GOOD}


def audited(root: Path, today: str, *, dry: bool = False) -> AuditRun:
    """Run the whole audit on a day, without reports."""
    project, request = find_project([str(root)]), CheckRequest(cache=False, jobs=1, today=today)
    return preview(project, request) if dry else run(project, request, reports=False)


def ticket_of(root: Path) -> Ticket:
    (ticket,) = TicketStore(str(root / "tickets")).load().values()
    return ticket


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose only finding is accepted until the last day."""
    root = write(tmp_path_factory.mktemp("accepted"), FILES)
    audited(root, BEFORE)
    store = TicketStore(str(root / "tickets"))
    TicketActions(store, str(root), BEFORE).resolve(ticket_of(root).id, ACCEPTED)
    return root


@pytest.fixture
def project(example: Path, tmp_path: Path) -> Path:
    """Return a copy of the example that a test may change."""
    return shutil.copytree(example, tmp_path / "project")


def test_a_check_is_quiet_up_to_the_last_day(project: Path) -> None:
    assert [one.status for one in audit(project, today=LAST_DAY).ticketed] == ["wont-fix"]
    assert audit(project, today=LAST_DAY).findings == []


def test_a_check_reports_the_finding_after_the_last_day(project: Path) -> None:
    assert [f.check for f in audit(project, today=AFTER).findings] == ["unauthorised-hasattr"]


@pytest.mark.parametrize("indent", ["  ", "    "])
def test_the_day_is_found_wherever_it_lies_in_the_resolution(project: Path, indent: str) -> None:
    (file,) = (project / "tickets").glob("*.yaml")
    text = file.read_text().replace(f"  until: '{LAST_DAY}'\n", "")
    before, _, after = text.partition("resolution:\n")
    kept, _, rest = after.partition("history:\n")
    block = "".join(f"{indent}{line.strip()}\n" for line in kept.splitlines())
    file.write_text(f"{before}resolution:\n{block}{indent}until: {LAST_DAY}\nhistory:\n{rest}")
    assert audit(project, today=LAST_DAY).findings == []
    assert audit(project, today=AFTER).findings != []


def test_the_words_of_the_evidence_are_no_day(project: Path) -> None:
    (file,) = (project / "tickets").glob("*.yaml")
    text = file.read_text().replace(f"  until: '{LAST_DAY}'\n", "")
    file.write_text(text.replace("evidence: Until 3.0.", f"evidence: |\n    until: {LAST_DAY}"))
    assert audit(project, today=AFTER).findings == []


def test_a_run_opens_the_ticket_again_and_keeps_its_history(project: Path) -> None:
    result = audited(project, AFTER)
    ticket = ticket_of(project)
    assert result.sync.reopened == [ticket.id]
    assert ticket.status is Status.OPEN
    assert [change.after for change in ticket.history] == ["open", "wont-fix", "open"]
    assert ticket.history[-1].why == f"wont-fix until {LAST_DAY}, which is over"
    assert audit(project, today=AFTER).findings == []  # it has an active ticket


def test_a_second_run_changes_nothing(project: Path) -> None:
    audited(project, AFTER)
    again = audited(project, AFTER)
    assert (again.changed, again.sync.reopened) == ([], [])


def test_a_ticket_whose_finding_is_gone_ends_as_fixed(project: Path) -> None:
    (project / "plugin.py").write_text("")
    result = audited(project, AFTER)
    assert ticket_of(project).status is Status.FIXED
    assert result.sync.reopened == []


@pytest.mark.parametrize(
    ("today", "is_announced"), [(BEFORE, False), ("2026-06-06", True), (LAST_DAY, True)]
)
def test_the_end_is_announced_in_the_days_before(
    project: Path, today: str, is_announced: bool
) -> None:
    assert bool(audited(project, today, dry=True).ending) is is_announced


def test_a_day_that_is_over_is_refused(project: Path) -> None:
    audited(project, AFTER)
    store = TicketStore(str(project / "tickets"))
    with pytest.raises(UsageError, match=f"the day is over .got {LAST_DAY}, today is {AFTER}."):
        TicketActions(store, str(project), AFTER).resolve(ticket_of(project).id, ACCEPTED)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (f"until: '{LAST_DAY}'", "until: '2026-06-31'", "no such day"),
        ("kind: wont-fix", "kind: fixed", "ends an acceptance"),
    ],
)
def test_an_end_by_hand_that_cannot_be_is_refused(
    project: Path, before: str, after: str, reason: str
) -> None:
    (file,) = (project / "tickets").glob("*.yaml")
    file.write_text(file.read_text().replace(before, after))
    with pytest.raises(TicketError, match=reason):
        ticket_of(project)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--kind", "fixed", "--until", "2100-01-01"), "--until only applies to an acceptance"),
        (("--kind", "wont-fix", "--until", "soon"), "no such day (got soon, expected YYYY-MM-DD)"),
        (("--kind", "wont-fix"), "--until is missing"),
    ],
)
def test_the_command_names_what_is_wrong(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: str
) -> None:
    audited(project, AFTER)
    policy = "[suppressions]\nrequire-expiry = true\n"
    write(project, {"esper-audit.toml": f'profile = "strict"\n{policy}'})
    monkeypatch.chdir(project)
    done = command("ticket", "resolve", ticket_of(project).id, *arguments, "--evidence", "x")
    assert (done.status, error in done.err) == (2, True), done.err


def test_the_command_accepts_until_a_day(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audited(project, AFTER)
    monkeypatch.chdir(project)
    name = ticket_of(project).id
    options = ("--kind", "not-a-bug", "--evidence", "x", "--until", "2100-01-01")
    assert command("ticket", "resolve", name, *options).status == 0
    assert "not-a-bug, accepted until 2100-01-01" in command("ticket", "show", name).out
