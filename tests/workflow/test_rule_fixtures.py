"""Fixtures with `# expect:` and `# todo:` comments test people's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import HASATTR, command, write
from support.local_rules import with_rule

FOUND = 'yield Violation(node, "old is old")'


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with_rule(tmp_path, "old-call", FOUND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fixture(root: Path, text: str) -> tuple[int, str]:
    write(root, {"fixtures/a.py": text})
    rule = "house/old_call.py"
    ran = command("rule", "--test", rule, "--fixtures", "fixtures")
    return ran.status, ran.out + ran.err


def test_a_fixture_that_states_its_findings_passes(root: Path) -> None:
    status, out = fixture(
        root, "x = old(1)  # expect: old-call\ny = new(1)\nz(1)  # todo: old-call\n"
    )
    assert status == 0
    assert out.endswith("1 file, 1 finding expected, 1 to do: 0 failed\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("new(1)  # expect: old-call\n", "line 1: old-call expected"),
        ("new(1)  # expect: old-call:5\n", "line 1, column 5: old-call expected"),
        ("old(1)  # expect: old-call:5\n", "line 1, column 1: old-call not expected"),
        ("old(1)\n", "line 1, column 1: old-call not expected"),
        ("old(1)  # todo: old-call\n", "line 1: old-call is found now; write `expect` for `todo`"),
        ("old(old(1))  # expect: old-call\n", "line 1, column 5: old-call not expected"),
        ("old(old(1))  # expect: old-call:5\n", "line 1, column 1: old-call not expected"),
        ("old(1)  # todo: old-call:1\n", "line 1, column 1: old-call is found now"),
    ],
)
def test_a_difference_is_named_by_line(root: Path, text: str, said: str) -> None:
    status, out = fixture(root, text)
    assert status == 1
    assert f"          {said}" in out


@pytest.mark.parametrize(
    "stated", ["old-call, old-call:5", "old-call:5, old-call", "old-call:1, old-call:5"]
)
def test_two_findings_of_a_line_are_told_apart_by_their_columns(root: Path, stated: str) -> None:
    assert fixture(root, f"old(old(1))  # expect: {stated}\n")[0] == 0


def test_what_does_not_parse_is_not_looked_at(root: Path) -> None:
    status, out = fixture(root, "def f(:\n")
    assert (status, "not looked at: does not parse" in out) == (3, True)


def test_a_misspelt_check_is_an_error(root: Path) -> None:
    status, out = fixture(root, "old(1)  # expect: old-cal\n")
    assert (status, "did you mean 'old-call'" in out) == (2, True)


def test_shipped_rules_can_be_named_without_a_file_of_rules(root: Path) -> None:
    write(root, {"own.py": f"hasattr(x, 'y')  # expect: {HASATTR}\nold(1)\n"})
    assert command("rule", "--fixtures", "own.py").status == 0
