"""The action for GitHub: its keys are known, and its shell steps do what they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.audit_runs import CLEAN, GOOD, write
from support.source_files import ROOT

# Slow: the step that installs makes a virtual environment.
pytestmark = pytest.mark.slow

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
# The metadata syntax of GitHub for composite actions.
KEYS = {"name", "author", "description", "inputs", "outputs", "runs", "branding"}
KEYS_OF_INPUT = {"description", "required", "default", "deprecationMessage"}
KEYS_OF_STEP = {
    "run",
    "shell",
    "if",
    "name",
    "id",
    "env",
    "working-directory",
    "uses",
    "with",
    "continue-on-error",
}
EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")


def test_the_keys_are_those_of_a_composite_action() -> None:
    assert set(ACTION) <= KEYS
    assert {"name", "description", "runs"} <= set(ACTION)
    assert set(ACTION["runs"]) == {"using", "steps"}
    assert ACTION["runs"]["using"] == "composite"
    for one in ACTION["inputs"].values():
        assert set(one) <= KEYS_OF_INPUT
    for step in ACTION["runs"]["steps"]:
        assert set(step) <= KEYS_OF_STEP
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script is code: pass it by env"


def test_every_expression_names_what_there_is() -> None:
    ids = {step.get("id") for step in ACTION["runs"]["steps"]}
    known = {f"inputs.{name}" for name in ACTION["inputs"]} | {"github.action_path"}
    known |= {f"steps.{one}.outputs.status" for one in ids}
    named = set(EXPRESSION.findall((ROOT / "action.yml").read_text()))
    assert named <= known
    assert {f"inputs.{name}" for name in ACTION["inputs"]} <= named


def ran(root: Path, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner of GitHub does."""
    [step] = [one for one in ACTION["runs"]["steps"] if one["name"] == name]
    values = {f"inputs.{key}": one["default"] for key, one in ACTION["inputs"].items()}
    values |= {f"inputs.{key.replace('_', '-')}": value for key, value in inputs.items()}
    values["github.action_path"] = str(ROOT)
    env = {key: EXPRESSION.sub(lambda m: values[m[1]], text) for key, text in step["env"].items()}
    runner = {
        "RUNNER_TEMP": str(root / "temp"),
        "GITHUB_OUTPUT": str(root / "output"),
        "GITHUB_STEP_SUMMARY": str(root / "summary"),
    }
    (root / "temp").mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=root,
        env={**os.environ, **env, **runner, "PIP_NO_DEPS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def command(tmp_path: Path) -> str:
    """Write an `esper-audit` of this environment."""
    script = tmp_path / "esper-audit"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m esper_audit "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_findings_fail_the_step_with_annotations_and_a_sarif_file(
    tmp_path: Path, command: str
) -> None:
    root = write(tmp_path / "tree", {"a b.py": GOOD, "sub/c.py": CLEAN})
    done = ran(root, "Check", command=command, sarif_file="out.sarif")
    assert (done.returncode, (root / "output").read_text()) == (1, "status=1\n")
    assert (
        "::notice file=a b.py,line=2" in done.stdout
        or "::warning file=a b.py,line=2" in done.stdout
    )
    assert "unauthorised-hasattr" in (root / "summary").read_text()
    assert '"version": "2.1.0"' in (root / "out.sarif").read_text()


def test_paths_and_arguments_are_passed_on(tmp_path: Path, command: str) -> None:
    root = write(tmp_path / "tree", {"a.py": GOOD, "sub/c.py": CLEAN})
    assert ran(root, "Check", command=command, paths="sub").returncode == 0
    quiet = ran(root, "Check", command=command, arguments="--ignore unauthorised-hasattr")
    assert quiet.returncode == 0
    assert ran(root, "Check", command=command, paths="$(touch broken)").returncode == 2
    assert not (root / "broken").exists()


def test_the_step_that_installs_installs_this_version(tmp_path: Path) -> None:
    done = ran(tmp_path, "Install esper-audit", python=sys.executable)
    if done.returncode and any(
        sign in done.stderr for sign in ("No matching distribution", "Connection", "ProxyError")
    ):
        pytest.skip(f"pip reaches no package index: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    installed = tmp_path / "temp" / "esper-audit"
    assert (installed / "bin" / "esper-audit").is_file()
    assert list(installed.glob("lib/*/site-packages/esper_audit-*.dist-info"))
