"""`esper-audit ticket ...`: filters, suggestions, 80 columns and exit status."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from support.audit_runs import ADOPTING

from esper_audit.cli.root import root

VALVE = """\
import torch


def blend_multiply(host, seed, alpha, seed_input: torch.Tensor | None = None):
    if seed_input is None:
        seed_input = host
    return host * (1 + alpha * torch.tanh(seed - seed_input))


def gradient_ratio(seed_norm, host_norm):
    return seed_norm / (host_norm + 1e-8)
"""
ASKING = 'def forward(host):\n    if hasattr(host, "segments"):\n        return 1\n    return 0\n'


class Said(NamedTuple):
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def ticket(directory: Path, *arguments: str) -> Said:
    """Run `esper-audit ticket ...` in a directory, in this process."""
    with contextlib.chdir(directory):
        done = CliRunner().invoke(root, ["ticket", *arguments], prog_name="esper-audit")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return Said(done.exit_code, done.stdout, done.stderr)


def git(directory: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Jo", "-c", "user.email=jo@example.org"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with three findings that have tickets."""
    directory = tmp_path_factory.mktemp("example")
    (directory / "esper-audit.toml").write_text(ADOPTING)
    (directory / "slots").mkdir()
    (directory / "slots" / "valve.py").write_text(VALVE)
    (directory / "model.py").write_text(ASKING)
    git(directory, "init", "--quiet")
    git(directory, "config", "user.name", "Jo")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "--message", "first")
    program = [sys.executable, "-m", "esper_audit", "ticket", "sync"]
    done = subprocess.run(program, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return directory


@pytest.fixture
def project(example: Path, tmp_path: Path) -> Path:
    """Return a copy of the example that a test may change."""
    return shutil.copytree(example, tmp_path / "project")


def in_domains(project: Path, *domains: str) -> None:
    """Give tickets domains by hand, the first the first."""
    for file, domain in zip(sorted((project / "tickets").iterdir()), domains, strict=False):
        file.write_text(f"{file.read_text()}domain: {domain}\n")


def listed(project: Path, *arguments: str) -> list[dict[str, Any]]:
    done = ticket(project, "list", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["version"] == 1
    found: list[dict[str, Any]] = content["tickets"]
    return found


def of(project: Path, check: str) -> str:
    """Return the id of the ticket of a check."""
    (found,) = listed(project, "--check", check, "--status", "all")
    name: str = found["id"]
    return name


def test_sync_writes_tickets_without_reports_and_then_nothing(project: Path) -> None:
    assert not (project / "reports").exists()
    before = {p.name: p.stat().st_mtime_ns for p in (project / "tickets").iterdir()}
    done = ticket(project, "sync")
    assert (done.returncode, "wrote" in done.stdout) == (0, False)
    assert {p.name: p.stat().st_mtime_ns for p in (project / "tickets").iterdir()} == before


def test_sync_says_what_was_not_looked_at_with_its_status(project: Path) -> None:
    (project / "model.py").write_text("def forward(host:\n")
    done = ticket(project, "sync")
    assert done.returncode == 3
    assert "1 not looked at" in done.stdout


def test_a_list_has_the_worst_first_a_line_each_within_80_columns(project: Path) -> None:
    done = ticket(project, "list")
    *lines, summary = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == sorted(line.split()[1] for line in lines)
    assert len(lines) == 3
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert summary.startswith("3 tickets: 3 open (active: ")
    assert {line.split()[3] for line in lines} == {
        "model.py:2",
        "slots/valve.py:4",
        "slots/valve.py:11",
    }


def test_a_list_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text(ADOPTING)
    assert ticket(tmp_path, "list").stdout == "0 tickets\n"
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ([], 3),
        (["--path", "slots"], 2),
        (["--path", "slots/"], 2),
        (["--path", "*.py"], 3),
        (["--path", "mod*"], 1),
        (["--path", "slot"], 0),
        (["--contract", "no-hasattr"], 1),
        (["--check", "unauthorised-hasattr", "--check", "argument-fallback"], 2),
        (["--severity", "P0"], 0),
        (["--status", "fixed"], 0),
        (["--domain", "slot"], 1),
        (["--domain", "slots"], 2),
        (["--domain", "slots/"], 2),
        (["--domain", "slots/gates"], 1),
    ],
    ids=str,
)
def test_a_filter_leaves_what_it_names(project: Path, arguments: list[str], count: int) -> None:
    in_domains(project, "slots", "slots/gates", "slot")
    assert len(listed(project, *arguments)) == count


def test_a_word_that_no_ticket_has_is_an_error_with_a_suggestion(project: Path) -> None:
    done = ticket(project, "list", "--contract", "no-hasatr")
    assert done.returncode == 2
    assert done.stderr == (
        "esper-audit: no ticket has the contract 'no-hasatr'; did you mean 'no-hasattr'?\n"
    )


def test_a_ticket_is_shown_within_80_columns_by_the_beginning_of_its_id(project: Path) -> None:
    name = of(project, "unauthorised-hasattr")
    done = ticket(project, "show", name[:-2].lower())
    assert done.stdout.startswith(f"{name} P3 open\n")
    assert '      2 |     if hasattr(host, "segments"):' in done.stdout
    assert "\nImpact\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    page = ticket(project, "show", name, "--format", "markdown").stdout
    assert page.startswith("# Finding Ticket: ")
    scripted = json.loads(ticket(project, "show", name, "--format", "json").stdout)
    assert [found["id"] for found in scripted["tickets"]] == [name]


def test_a_name_that_is_none_or_several_is_an_error_that_helps(project: Path) -> None:
    name = of(project, "unauthorised-hasattr")
    unknown = ticket(project, "show", name + "0")
    assert unknown.returncode == 2
    assert f"did you mean '{name}'?" in unknown.stderr
    several = ticket(project, "show", "EA-")
    assert several.returncode == 2
    assert "'EA-' is ambiguous: 3 tickets begin with it (EA-" in several.stderr
    assert "(tickets: EA-" in ticket(project, "show", "zzz").stderr


def test_a_review_is_added_with_its_day_and_the_rest_of_the_file_stays(project: Path) -> None:
    name = of(project, "argument-fallback")
    file = project / "tickets" / f"{name}.yaml"
    file.write_text(file.read_text() + "# a person's last word\n")
    before = file.read_text()
    first = ticket(project, "review", name, "--reviewer", "drl", "--verdict", "endorse")
    assert first.stdout == f"{name}: 1 review (1 endorse)\n"
    evaluation = "Every caller passes it.\n\nLatent."
    arguments = ["--reviewer", "mo", "--verdict", "neutral", "--evaluation", evaluation]
    assert ticket(project, "review", name, *arguments).stdout == (
        f"{name}: 2 reviews (1 endorse, 1 neutral)\n"
    )
    after = file.read_text()
    assert "- reviewer: mo\n  verdict: neutral\n  date: '" in after
    assert "  evaluation: |-\n    Every caller passes it.\n\n    Latent.\n" in after
    start = after.index("reviews:")
    assert after[:start] + after[after.index("source:") :] == before


def test_a_review_without_a_verdict_that_is_one_is_refused(project: Path) -> None:
    done = ticket(project, "review", "EA-", "--reviewer", "mo", "--verdict", "maybe")
    assert done.returncode == 2
    assert "'endorse', 'neutral', 'object', 'refine'" in done.stderr


REFUSED = {
    "nothing shown": (["--kind", "fixed"], "fixed needs evidence or a commit"),
    "no evidence": (["--kind", "wont-fix"], "wont-fix needs evidence"),
    "a commit for what needs words": (
        ["--kind", "not-a-bug", "--commit", "HEAD"],
        "needs evidence",
    ),
    "no other ticket": (
        ["--kind", "duplicate", "--evidence", "the same"],
        "duplicate needs the duplicated ticket in `related`",
    ),
    "another ticket that is none": (
        ["--kind", "duplicate", "--evidence", "the same", "--of", "EA-zz"],
        "unknown ticket 'EA-zz'",
    ),
    "itself": (["--kind", "duplicate", "--evidence", "x", "--of", "SELF"], "duplicate of itself"),
    "another ticket for what has none": (
        ["--kind", "fixed", "--evidence", "x", "--of", "SELF"],
        "--of only applies to --kind duplicate (got --kind fixed)",
    ),
    "a commit that is not there": (
        ["--kind", "fixed", "--commit", "206841ef"],
        "unknown commit 206841ef in this repository",
    ),
    "a word for a commit": (
        ["--kind", "fixed", "--commit", "pending"],
        "--commit: not a hexadecimal commit name (got pending)",
    ),
    "a kind that is none": (["--kind", "closed"], "'fixed', 'already-fixed'"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_resolution_that_shows_nothing_is_refused_and_changes_nothing(
    project: Path, arguments: list[str], message: str
) -> None:
    name = of(project, "argument-fallback")
    head = git(project, "rev-parse", "--short", "HEAD")
    before = {p: p.read_bytes() for p in (project / "tickets").iterdir()}
    given = [{"SELF": name, "HEAD": head}.get(word, word) for word in arguments]
    done = ticket(project, "resolve", name, *given)
    assert done.returncode == 2
    assert message in done.stderr
    assert {p: p.read_bytes() for p in (project / "tickets").iterdir()} == before


def test_a_resolution_is_written_with_its_history_and_keeps_the_finding_quiet(
    project: Path,
) -> None:
    name = of(project, "unauthorised-hasattr")
    arguments = [
        "--kind",
        "wont-fix",
        "--evidence",
        "A plugin decides.\nSee there.",
        "--sign-off",
        "mo",
    ]
    assert ticket(project, "resolve", name, *arguments).stdout == f"{name}: open -> wont-fix\n"
    (found,) = listed(project, "--status", "wont-fix")
    assert found["resolution"]["evidence"] == "A plugin decides.\nSee there."
    line = found["history"][-1]
    assert (line["by"], line["before"], line["after"]) == ("mo", "open", "wont-fix")
    assert line["why"] == "A plugin decides."
    assert ticket(project, "sync").returncode == 0
    again = ticket(project, "resolve", name, "--kind", "fixed", "--evidence", "x")
    assert (
        again.returncode,
        "cannot change from wont-fix to fixed (allowed: open)" in again.stderr,
    ) == (
        2,
        True,
    )
    assert "; 1 resolved (see --status all)" in ticket(project, "list").stdout


def test_a_review_that_objects_blocks_a_resolution_until_its_reviewer_reviews_again(
    project: Path,
) -> None:
    name = of(project, "argument-fallback")
    file = project / "tickets" / f"{name}.yaml"
    ticket(project, "review", name, "--reviewer", "mo", "--verdict", "object")
    ticket(project, "review", name, "--reviewer", "drl", "--verdict", "endorse")
    before = file.read_text()
    arguments = ["--kind", "wont-fix", "--evidence", "as it is"]
    refused = ticket(project, "resolve", name, *arguments)
    assert refused.returncode == 2
    assert f"{name}: cannot be resolved while a review objects (by mo)." in refused.stderr
    assert file.read_text() == before
    ticket(project, "review", name, "--reviewer", "mo", "--verdict", "neutral")
    assert ticket(project, "resolve", name, *arguments).returncode == 0


def test_a_fix_by_a_commit_is_signed_by_whom_git_knows_and_reopened_if_it_is_none(
    project: Path,
) -> None:
    name = of(project, "argument-fallback")
    head = git(project, "rev-parse", "--short", "HEAD")
    assert ticket(project, "resolve", name, "--kind", "fixed", "--commit", head).returncode == 0
    (found,) = listed(project, "--status", "fixed")
    assert found["history"][-1]["by"] == "Jo"
    done = ticket(project, "sync")
    assert (done.returncode, "1 reopened" in done.stdout) == (1, True)


def test_a_duplicate_is_linked_from_both_sides(project: Path) -> None:
    name, other = of(project, "argument-fallback"), of(project, "unguarded-norm-ratio")
    arguments = ["--kind", "duplicate", "--of", other, "--evidence", "the same lines"]
    done = ticket(project, "resolve", name, *arguments)
    assert done.stdout == f"{name}: open -> duplicate\n{other}: link added\n"
    (back,) = listed(project, "--path", "slots")
    assert back["related"] == [{"id": name, "relation": "duplicate"}]


def test_what_was_changed_by_hand_is_noted_and_a_wrong_move_stops_everything(
    project: Path,
) -> None:
    name = of(project, "argument-fallback")
    file = project / "tickets" / f"{name}.yaml"
    file.write_text(file.read_text().replace("status: open", "status: in-review  # mo looks"))
    assert ticket(project, "sync").returncode == 0
    text = file.read_text()
    assert "status: in-review  # mo looks\n" in text
    assert "  by: by hand\n  before: open\n  after: in-review\n" in text
    file.write_text(text.replace("status: in-review", "status: not-a-bug"))
    done = ticket(project, "sync")
    assert done.returncode == 2
    assert done.stderr == (
        f"esper-audit: tickets/{name}.yaml:3: status: not-a-bug needs a resolution with evidence"
        " (not-a-bug)\n"
    )


def test_a_commit_that_somebody_invents_by_hand_is_refused(project: Path) -> None:
    name = of(project, "argument-fallback")
    file = project / "tickets" / f"{name}.yaml"
    text = file.read_text().replace("status: open", "status: fixed")
    end = "resolution:\n  kind: fixed\n  evidence: ''\n  commits: [{}]\n"
    file.write_text(text + end.format("206841ef"))
    done = ticket(project, "sync")
    assert done.returncode == 2
    assert (
        f"tickets/{name}.yaml:3: resolution.commits: unknown commit 206841ef in this" in done.stderr
    )
    head = git(project, "rev-parse", "HEAD")
    file.write_text(text + end.format(f"'{head}'"))
    assert ticket(project, "sync").returncode == 1, "taken, and opened again: it is still found"
    assert "by: by hand\n  before: open\n  after: fixed\n  why: fixed\n" in file.read_text()


def test_a_resolution_that_was_imported_as_it_was_is_taken(project: Path) -> None:
    file = project / "tickets" / f"{of(project, 'argument-fallback')}.yaml"
    text = file.read_text().replace("status: open", "status: fixed")
    text = text[: text.index("history:")] + "resolution:\n  kind: fixed\n  evidence: ''\n"
    file.write_text(text.replace("fingerprint:", "batch:") + "  commits: [206841ef]\n")
    assert ticket(project, "sync").returncode == 1, "its finding gets a ticket of its own"
    assert "by: by hand\n  after: fixed\n  why: written\n" in file.read_text()


def test_a_link_to_nothing_is_named_with_its_place_and_fails_the_run(project: Path) -> None:
    name = of(project, "argument-fallback")
    file = project / "tickets" / f"{name}.yaml"
    file.write_text(file.read_text() + "related:\n- id: EA-00000000\n  relation: blocks\n")
    line = file.read_text().splitlines().index("- id: EA-00000000") + 1
    done = ticket(project, "sync")
    assert done.returncode == 1
    problem = f"tickets/{name}.yaml:{line}: related[0].id: there is no ticket 'EA-00000000'"
    assert problem in done.stdout


def test_the_schema_is_printed_as_json(tmp_path: Path) -> None:
    schema = json.loads(ticket(tmp_path, "schema").stdout)
    assert schema["$defs"]["Ticket"]["additionalProperties"] is False


def test_the_group_names_its_verbs(tmp_path: Path) -> None:
    helped = ticket(tmp_path, "--help").stdout
    assert [
        v for v in ("list", "show", "sync", "review", "resolve", "schema") if v not in helped
    ] == []
    assert max(map(len, helped.splitlines())) <= 80
    unknown = ticket(tmp_path, "lst")
    assert unknown.returncode == 2
    assert "unknown command 'lst' (commands: accept, import, lint, list," in unknown.stderr
