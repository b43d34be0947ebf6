"""`pytest --esper-audit` on subjects: an item for each unit, and a guard against missing ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.probed_project import CONFIGURATION, EXPECT, project

# Slow: each test runs pytest, which starts a sandbox with torch.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

VERDICT = re.compile(r"\b(PASSED|FAILED|XFAIL|SKIPPED)\b")
NAME = re.compile(r"(?:::test_a_promise_is_kept\[|::)([\w-]+\[[^\]]*\]|every-promise)")
THIEF = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "leaking" not in item.name]
"""
OWN_TEST = """
from esper_audit.subject import promises

@promises("contracts/subjects.py:subjects")
def test_a_promise_is_kept(promised):
    promised.check()
"""


def ran(root: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-rsx", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.returncode, done.stdout + done.stderr


def outcomes(output: str) -> dict[str, str]:
    """Return the outcome of each promise's item, from the lines that name both."""
    found: dict[str, str] = {}
    for line in output.partition(" FAILURES ")[0].splitlines():
        verdict = VERDICT.search(line)
        name = NAME.search(line)
        if verdict is not None and name is not None:
            found[name[1]] = verdict[1]
    return found


def test_a_broken_promise_fails_with_witness_and_reproducer_and_is_run_again_by_lf(
    tmp_path: Path,
) -> None:
    root = project(tmp_path)
    status, output = ran(root, "--esper-audit", "-n0")
    assert status == 1
    found = outcomes(output)
    assert found.pop("causality[leaking@birth]") == "FAILED"
    assert set(found.values()) == {"PASSED"}
    assert {"causality[sound@birth]", "eval-determinism[sound@birth]", "every-promise"} <= set(
        found
    )
    assert "outputs up to a position change with inputs after it" in output
    assert "defined at library.py:9 Leaking" in output
    assert "subject = subject_of('contracts/subjects.py:subjects', 'leaking')" in output
    assert "Traceback" not in output
    status, output = ran(root, "--esper-audit", "-n0", "--lf")
    assert outcomes(output) == {"causality[leaking@birth]": "FAILED"}


def test_items_are_chosen_by_k_and_shared_among_processes(tmp_path: Path) -> None:
    status, output = ran(project(tmp_path), "--esper-audit", "-n2", "-k", "sound or every-promise")
    assert status == 0, output
    found = outcomes(output)
    assert set(found.values()) == {"PASSED"}
    assert "causality[leaking@birth]" not in found
    assert {"causality[sound@birth]", "every-promise"} <= set(found)


def test_an_expected_failure_is_an_xfail_and_an_item_that_vanishes_trips_the_guard(
    tmp_path: Path,
) -> None:
    root = project(tmp_path, CONFIGURATION + EXPECT)
    status, output = ran(root, "--esper-audit", "-n0")
    assert status == 0, output
    assert outcomes(output)["causality[leaking@birth]"] == "XFAIL"
    assert "bidirectional on purpose" in output
    (root / "conftest.py").write_text(THIEF)
    status, output = ran(root, "--esper-audit", "-n0")
    assert status == 1
    assert outcomes(output)["every-promise"] == "FAILED"
    assert "causality[leaking@birth] is promised but its item was removed" in output


def test_a_subjects_file_that_does_not_load_trips_the_guard(tmp_path: Path) -> None:
    root = project(tmp_path, subjects="raise LookupError('no registry')\n")
    status, output = ran(root, "--esper-audit", "-n0")
    assert status == 1
    assert outcomes(output) == {"every-promise": "FAILED"}
    assert "LookupError: no registry" in output


def test_a_test_module_can_have_the_promises_as_parameters(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "test_contracts.py").write_text(OWN_TEST)
    status, output = ran(root, "-n0")
    assert status == 1
    found = outcomes(output)
    assert found["causality[leaking@birth]"] == "FAILED"
    assert found["causality[sound@birth]"] == "PASSED"
    assert output.count("Reproduce with:") == 1
    assert "Traceback" not in output


def test_a_printed_node_id_can_be_given_back(tmp_path: Path) -> None:
    root = project(tmp_path)
    chosen = "pyproject.toml::causality[leaking@birth]"
    status, output = ran(root, "--esper-audit", "-n0", chosen)
    assert status == 1
    assert f"FAILED {chosen}" in output or f"{chosen} FAILED" in output
    assert outcomes(output) == {"causality[leaking@birth]": "FAILED"}
    _, output = ran(root, "--esper-audit", "-n0", "pyproject.toml::every-promise")
    assert outcomes(output) == {"every-promise": "PASSED"}
