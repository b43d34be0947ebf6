"""`config show` names the origin of each value, and its reasons agree with what `check` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, HASATTR, command, write

from esper_audit.project.config import find_project
from esper_audit.rules.check_reasons import CheckReasons
from esper_audit.rules.selection import Selection

CONFIGURATIONS = {
    "nothing": "",
    "strict": 'profile = "strict"\n',
    "a policy": 'policies = ["no-hasattr"]\n',
    "select": f'select = ["{HASATTR}", "silent-except"]\n',
    "select all but one": f'select = ["all"]\nignore = ["{HASATTR}"]\n',
    "extend": 'extend-select = ["unused-parameter", "private-torch-api"]\nignore = ["silent-except"]\n',
    "per path": (
        f'[[tool.esper-audit.per-path]]\npath = "tests/"\nselect = ["{HASATTR}", "dead-branch"]\n'
        '[[tool.esper-audit.per-path]]\npath = "pkg/"\nignore = ["silent-except"]\n'
    ),
    "two tables of one path": (
        f'profile = "strict"\n[[tool.esper-audit.per-path]]\npath = "*.py"\nignore = ["{HASATTR}"]\n'
        f'[[tool.esper-audit.per-path]]\npath = "pkg/"\nselect = ["{HASATTR}"]\n'
    ),
}
COMMAND_LINES: dict[str, dict[str, list[str]]] = {
    "plain": {},
    "--select": {"select": [HASATTR]},
    "--ignore": {"ignore": [HASATTR, "silent-except"]},
    "both": {"select": ["all"], "ignore": ["dead-branch"]},
}


@pytest.mark.parametrize("path", ["pkg/a.py", "tests/test_a.py", "examples/train.py", "setup.py"])
@pytest.mark.parametrize("line", COMMAND_LINES.values(), ids=COMMAND_LINES)
@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_reasons_agree_with_the_selection(
    tmp_path: Path, configuration: str, line: dict[str, list[str]], path: str
) -> None:
    write(tmp_path, {"pyproject.toml": f"[tool.esper-audit]\n{configuration}"})
    project = find_project([str(tmp_path)])
    reasons = CheckReasons(project, **line)
    selection = Selection(
        reasons.registry, project.config, where=project.file, root=project.root, **line
    )
    on = {reason.check for reason in reasons.of(path) if reason.is_on}
    assert on == selection.checks_for(path)


def shown(*arguments: str) -> tuple[dict[str, tuple[object, str]], dict[str, tuple[bool, str]]]:
    """Return the values with their origins, and the checks with their reasons."""
    content = json.loads(command("config", "show", "--format", "json", *arguments).out)
    values = {one["key"]: (one["value"], one["origin"]) for one in content["values"]}
    return values, {one["check"]: (one["is_on"], one["why"]) for one in content["checks"]}


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = (
        '[tool.esper-audit]\npolicies = [\n  "public-torch-api",\n]\n\n'
        "[tool.esper-audit.probing]\nseconds = 5\n"
    )
    write(tmp_path, {"pyproject.toml": table, "pkg/a.py": CLEAN})
    monkeypatch.chdir(tmp_path)


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    values, _ = shown()
    file = tmp_path / "pyproject.toml"
    assert values["policies"] == (["public-torch-api"], f"{file}:2")
    assert values["probing.seconds"] == (5.0, f"{file}:7")
    assert values["probing.memory"][1] == "default"
    assert values["profile"] == ("default", "default")


def test_each_check_has_its_reason(tmp_path: Path) -> None:
    _, checks = shown("pkg/a.py")
    adopted = f"policy public-torch-api, adopted at {tmp_path}/pyproject.toml:2"
    assert checks["private-torch-api"] == (True, adopted)
    assert checks[HASATTR] == (False, "policy no-hasattr is not adopted")
    assert checks["unguarded-norm-ratio"] == (True, "universal contract host-norm-guard")
    _, checks = shown("tests/test_a.py", "--ignore", "unused-suppression")
    assert checks[HASATTR] == (False, "judges production, and this path is test")
    assert checks["unused-suppression"] == (False, "--ignore")


def test_the_text_names_file_checks_and_reasons(tmp_path: Path) -> None:
    lines = command("config", "show", "pkg/a.py").out.splitlines()
    assert lines[0] == f"Configuration: {tmp_path}/pyproject.toml"
    assert 'policies ["public-torch-api"] (pyproject.toml:2)' in [
        " ".join(line.split()) for line in lines
    ]
    assert [line for line in lines if line.startswith("Checks of pkg/a.py (production): ")]
    assert max(map(len, lines[2:])) <= 80


def test_an_unknown_check_on_the_command_line_is_an_error() -> None:
    ran = command("config", "show", "--select", "nonsense")
    assert (ran.status, ran.out) == (2, "")
