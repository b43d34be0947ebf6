"""`check --interactive` shows each fix and applies those that the user wants."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support.audit_runs import command, write
from support.local_rules import with_rule

from esper_audit.cli.root import root

BODY = """\
safe = file.code(node.args[0]) == "1"
code = file.code(node).replace("old", "new", 1)
yield Violation(node, "old is old", Replacement(node, code, safe, "call new"))
"""
THREE = "x = old(1)\ny = old(1)\nz = old(1)\n"


class Reviewed(NamedTuple):
    """What a review did to a file, what it asked, and what the command reported."""

    text: str
    questions: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return with_rule(tmp_path, "old-call", BODY)


def review(project: Path, text: str, answers: str, *options: str) -> Reviewed:
    write(project, {"a.py": text})
    arguments = ["check", "--interactive", *options]
    done = CliRunner().invoke(root, arguments, input=answers, prog_name="esper-audit")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    asked = done.stderr.count("Apply [y,n,a,q]?")
    return Reviewed((project / "a.py").read_text(), asked, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("answers", "after", "questions"),
    [
        ("y\nn\ny\n", "x = new(1)\ny = old(1)\nz = new(1)\n", 3),
        ("n\ny\nn\n", "x = old(1)\ny = new(1)\nz = old(1)\n", 3),
        ("n\na\n", "x = old(1)\ny = new(1)\nz = new(1)\n", 2),
        ("y\nq\n", "x = new(1)\ny = old(1)\nz = old(1)\n", 2),
        ("y\n", "x = new(1)\ny = old(1)\nz = old(1)\n", 2),
        ("maybe\nY\nq\n", "x = new(1)\ny = old(1)\nz = old(1)\n", 3),
        ("n\nn\nn\n", THREE, 3),
    ],
    ids=["some", "one", "all further", "quit", "end of input", "unknown answer", "none"],
)
def test_the_fixes_that_the_user_wants_are_applied(
    project: Path, answers: str, after: str, questions: int
) -> None:
    done = review(project, THREE, answers)
    assert (done.text, done.questions) == (after, questions)


def test_a_fix_inside_another_is_asked_for_when_its_turn_comes(project: Path) -> None:
    assert review(project, "old(old(1))\n", "y\n" * 4, "--unsafe-fixes").text == "new(new(1))\n"


def test_a_question_shows_place_reason_and_change(project: Path) -> None:
    asked = review(project, "a = 0\nx = old(2)\n", "n\n", "--unsafe-fixes").err
    for line in (
        "a.py:2:5 old-call",
        "  Fix: call new (changes behaviour)",
        "-x = old(2)",
        "+x = new(2)",
        " a = 0",
    ):
        assert f"\n{line}\n" in asked


def test_what_remains_is_reported(project: Path) -> None:
    done = review(project, THREE, "y\nn\nn\n")
    assert done.out.startswith("Fixed 1 finding in 1 file.\n")
    assert "2 findings" in done.out


def test_it_needs_the_terminal(project: Path) -> None:
    for options in (("--diff",), ("--stdin-filename", "a.py")):
        done = command("check", "--interactive", *options)
        assert (done.status, "--interactive asks on the terminal" in done.err) == (2, True)
