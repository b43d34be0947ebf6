"""The exit status of `check`: 0 clean, 1 findings, 2 could not run, 3 something was not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, command, run, write
from support.local_rules import with_rule

OPTIONS = "class Options(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):\n    limit: int = 3\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_clean_tree_is_0(tmp_path: Path) -> None:
    write(tmp_path, {"clean.py": CLEAN})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("No findings in 1 file; ")


def test_a_finding_is_1(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": GOOD})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.err) == (1, "")


def test_a_file_that_does_not_parse_is_3_with_and_without_findings(tmp_path: Path) -> None:
    write(tmp_path, {"odd.py": "def f(:\n"})
    assert command("check").status == 3
    write(tmp_path, {"good.py": GOOD})
    assert command("check").status == 3


def test_a_tree_without_python_is_3_and_says_so() -> None:
    ran = command("check")
    assert ran.status == 3
    assert ran.not_looked_at == [".: holds no Python file to check"]


def test_a_missing_path_is_an_error_not_a_clean_run(tmp_path: Path) -> None:
    ran = run(tmp_path, "check", "nowhere.py")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"esper-audit: {tmp_path}/nowhere.py: no such file or directory\n"


def test_an_unknown_check_is_2_and_suggests_one() -> None:
    ran = command("check", "--select", "unauthorized-hasattr")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "esper-audit: unknown check 'unauthorized-hasattr'; did you mean 'unauthorised-hasattr'?\n"
    )


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--jobs", "many"]])
def test_a_command_line_that_is_wrong_is_2(arguments: list[str]) -> None:
    ran = command("check", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_an_unknown_command_is_2_and_names_those_there_are() -> None:
    ran = command("chekc")
    assert ran.status == 2
    assert "unknown command 'chekc' (commands: check" in ran.err


WRONG = {
    "an unknown key": ("slect = ['all']", "unknown key 'slect'; did you mean 'select'?"),
    "an unknown key of a table": (
        "[[tool.esper-audit.allow]]\nchek = 'x'",
        "allow[0]: unknown key 'chek'; did you mean 'check'?",
    ),
    "an unknown key of per-path": (
        "[[tool.esper-audit.per-path]]\npaht = 'x'",
        "per-path[0]: unknown key 'paht'; did you mean 'path'?",
    ),
    "a wrong type": ("select = 3", "select: wrong type (got int, expected array)"),
    "an exception without reason": (
        f"[[tool.esper-audit.allow]]\ncheck = '{HASATTR}'\npath = '*'\nowner = 'me'",
        "allow[0]: missing key 'reason'",
    ),
    "an empty reason": (
        f"[[tool.esper-audit.allow]]\ncheck = '{HASATTR}'\npath = '*'\nowner = 'me'\nreason = ''",
        "allow[0].reason: invalid value (expected `str` of length >= 1)",
    ),
    "a date that is none": (
        (
            f"[[tool.esper-audit.allow]]\ncheck = '{HASATTR}'\npath = '*'\nowner = 'me'\n"
            "reason = 'x'\nuntil = 'soon'"
        ),
        "allow[0].until: invalid value (expected `str` as YYYY-MM-DD)",
    ),
    "an unknown check": (
        "select = ['unauthorized-hasattr']",
        "did you mean 'unauthorised-hasattr'?",
    ),
    "an unknown check for a path": (
        "[[tool.esper-audit.per-path]]\npath = 'a'\nignore = ['unauthorized-hasattr']",
        "did you mean 'unauthorised-hasattr'?",
    ),
    "settings of an unknown rule": (
        "[tool.esper-audit.rules.unauthorized-hasattr]\nseverity = 'P1'",
        "did you mean 'unauthorised-hasattr'?",
    ),
    "a bad severity": (
        f"[tool.esper-audit.rules.{HASATTR}]\nseverity = 'P9'",
        f"rules.{HASATTR}.severity: invalid value (got 'P9', expected P0 to P4)",
    ),
    "a pattern that is none": (
        "exclude = ['!']",
        "invalid pattern in exclude, path or roles (got '!', expected a pattern",
    ),
    "templates that do not exist": ("templates = 'gone'", "templates: no such folder (got 'gone')"),
    "no TOML at all": ("= =", "invalid TOML: "),
    "a table that is a number": ("paths = 1", "paths: wrong type (got int, expected array)"),
}


# A missing key is reported at its table.
LINES = {
    "an unknown key of a table": 3,
    "an unknown key of per-path": 3,
    "an empty reason": 6,
    "a date that is none": 7,
    "an unknown check for a path": 4,
    "a bad severity": 3,
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_configuration_is_2_and_says_where_and_what(tmp_path: Path, case: str) -> None:
    table, message = WRONG[case]
    write(tmp_path, {"pyproject.toml": f"[tool.esper-audit]\n{table}\n", "good.py": GOOD})
    ran = command("check")
    assert (ran.status, ran.out) == (2, "")
    line = LINES.get(case, 2)
    assert ran.err.startswith(f"esper-audit: {tmp_path}/pyproject.toml:{line}: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("limits = 4", "options of rule limited: unknown key 'limits'; did you mean 'limit'?"),
        ("limit = 'four'", "options of rule limited: limit: wrong type (got str, expected int)"),
    ],
)
def test_a_wrong_option_of_a_rule_is_2_and_says_where_and_what(
    tmp_path: Path, setting: str, message: str
) -> None:
    with_rule(tmp_path, "limited", members=OPTIONS)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write(f"[tool.esper-audit.rules.limited]\n{setting}\n")
    ran = command("check")
    assert (ran.status, ran.out) == (2, "")
    line = (tmp_path / "pyproject.toml").read_text().split("\n").index(setting) + 1
    assert ran.err == f"esper-audit: {tmp_path}/pyproject.toml:{line}: {message}\n"


def test_an_option_of_a_local_rule_reaches_it(tmp_path: Path) -> None:
    with_rule(
        tmp_path,
        "limited",
        "yield Violation(node, f'limit {self.options.limit}')",
        members=OPTIONS,
        message="limit 3",
    )
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("[tool.esper-audit.rules.limited]\nlimit = 4\nseverity = 'P0'\n")
    write(tmp_path, {"a.py": "old()\n"})
    ran = command("check")
    assert ran.status == 1
    assert ran.out.startswith("a.py:1:1 P0 limited\n  limit 4\n")


@pytest.mark.parametrize(
    "text", ["tool = 'esper-audit'\n", "tool = ['esper-audit']\n", "[tool]\nesper-audit = 3\n"]
)
def test_a_pyproject_of_another_shape_is_2_or_nobodys_business(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"pyproject.toml": text, "clean.py": CLEAN})
    ran = command("check")
    assert ran.status in (0, 2)
    assert (ran.status == 2) == ran.err.startswith(f"esper-audit: {tmp_path}/pyproject.toml:2: ")
