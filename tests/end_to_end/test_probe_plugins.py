"""An installed package can offer a probe, which is listed, explained and run like a shipped one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import run, write

# Slow: the probe runs in processes of its own.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

PROBE = '''"""The probe `positive-output`: no output is negative."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.subject import Draw, Module


class PositiveOutput(Probe[Module]):
    """No output is negative.

    What: a forward returns no negative value.

    Why: the values are counts.

    Quiet: zero.

    Tickets: real code
    """

    contract = "runs"
    category = Category.CORRECTNESS
    severity = Severity.P2
    takes = Module
    requires = ("forward",)
    limits: ClassVar[Limits] = {"negative": must_be_zero("the forward returned negative values")}

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Run the module once."""
        output = subject.call(subject.at(state), subject.inputs(Draw(subject.dims[0])))
        yield Reading("negative", float((output < 0).sum()))
'''
SUBJECTS = """
import torch
from esper_audit.subject import Module, promise, sequences

def subjects():
    for name, build in {"relu": lambda dim: torch.nn.ReLU(), "linear": lambda dim: torch.nn.Linear(dim, dim)}.items():
        yield Module(name=name, build=build, inputs=sequences, promises=[promise("positive-output")])
"""


def installed(site: Path, source: str) -> dict[str, str]:
    """Write a package that offers a probe, as pip would; return the environment that finds it."""
    files = {
        "their_probes-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: their-probes\nVersion: 1.0\n",
        "their_probes-1.0.dist-info/entry_points.txt": (
            "[esper_audit.probes]\npositive = their_probes.positive_output\n"
        ),
        "their_probes/__init__.py": "",
        "their_probes/positive_output.py": source,
    }
    write(site, files)
    return {"PYTHONPATH": str(site), "PYTHONSAFEPATH": ""}


def test_a_probe_of_an_installed_package_is_listed_and_run(tmp_path: Path) -> None:
    env = installed(tmp_path / "site", PROBE)
    configuration = '[tool.esper-audit]\nsubjects = ["subjects.py:subjects"]\n'
    tree = write(tmp_path / "tree", {"pyproject.toml": configuration, "subjects.py": SUBJECTS})
    checks = json.loads(run(tree, "rule", "--format", "json", env=env).out)["checks"]
    (own,) = [check for check in checks if check["id"] == "positive-output"]
    assert (own["kind"], own["contract"]) == ("probe", "runs")
    ran = run(tree, "probe", "--format", "json", env=env)
    records = {r["subject"]: r for r in json.loads(ran.out)["probes"] if r["probe"] == own["id"]}
    assert ran.status == 1, ran.err
    assert {name: record["verdict"] for name, record in records.items()} == {
        "relu": "pass",
        "linear": "fail",
    }


def test_a_module_without_a_probe_is_an_error_by_name(tmp_path: Path) -> None:
    env = installed(tmp_path / "site", "x = 1\n")
    ran = run(write(tmp_path / "tree", {"a.py": "x = 1\n"}), "rule", env=env)
    assert (ran.status, ran.out) == (2, "")
    assert "probe their_probes.positive_output does not load" in ran.err
