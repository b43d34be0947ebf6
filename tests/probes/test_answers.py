"""Answers of earlier runs: what is unchanged is not probed again, and what may have changed is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.audit_runs import command, write

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.answers.class_answers import ClassAnswers
from esper_audit.probes.answers.subject_answers import SubjectAnswers
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.jobs import UnitDescription
from esper_audit.project.config import find_project

pytestmark = pytest.mark.torch

FILES = {
    "flow/__init__.py": "",
    "flow/parts.py": "from .base import Base\nimport flow.scales\nfrom torch import nn\nclass Part(Base): pass\n",
    "flow/base.py": "from flow import numbers_\nclass Base: pass\n",
    "flow/numbers_.py": "SIZE = 3\n",
    "flow/scales.py": "def scale(x): return x\n",
    "flow/other.py": "class Other: pass\n",
    "flow/late.py": "import importlib\nwhat = importlib.import_module('flow.other')\n",
    "flow/data/table.json": "[1]\n",
    "alone.py": "import json\ntext = open('sizes.json')\nclass Alone: pass\n",
    "sizes.json": "[1]\n",
    "report.json": "{}\n",
    "subjects.py": "from flow.parts import Part\ndef subjects(): yield Part\n",
}
PART = ModuleClass("flow.parts:Part", "flow/parts.py", 4, 4)
LATE = ModuleClass("flow.late:Late", "flow/late.py", 2, 2)
ALONE = ModuleClass("alone:Alone", "alone.py", 3, 3)
RECIPE = {"class": "flow.parts:Part", "build": {"kwargs": {"dim": 3}}}
NESTED = {"class": "flow.parts:Part", "build": {"args": [{"call": "flow.other:Other"}]}}
UNIT = UnitDescription(
    id="forward[part@birth]",
    probe="forward",
    contract="c",
    severity=Severity.P2,
    category=Category.CORRECTNESS,
    subject="part",
    state="birth",
    prerequisites=(),
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESPER_AUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "tree", FILES)


def answers(root: Path, *, enabled: bool = True) -> ClassAnswers:
    files = sorted(root.rglob("*.py"))
    modules = {
        f"{f.relative_to(root)}".removesuffix(".py").replace("/", "."): str(f) for f in files
    }
    return ClassAnswers(find_project([str(root)]), modules, enabled=enabled)


def keep(root: Path, one: ModuleClass, recipe: dict[str, object], inputs: object = "") -> None:
    kept = answers(root)
    kept.put("known", one, inputs, 7, recipe)
    kept.save()


def answer(root: Path, one: ModuleClass, inputs: object = "") -> int | None:
    return answers(root).get("known", one, inputs, int)


def test_an_unchanged_class_is_answered(root: Path) -> None:
    keep(root, PART, RECIPE)
    assert answer(root, PART) == 7
    assert answers(root, enabled=False).get("known", PART, "", int) is None


@pytest.mark.parametrize(
    "changed",
    [
        "flow/parts.py",  # the class
        "flow/base.py",  # its base class
        "flow/numbers_.py",  # what the file of the base class imports
        "flow/scales.py",  # functions that the class calls
        "flow/__init__.py",  # what every import of it runs
        "flow/data/table.json",  # what it may read
    ],
)
def test_a_class_runs_again_after_a_change_of_what_it_uses(root: Path, changed: str) -> None:
    keep(root, PART, RECIPE)
    write(root, {changed: FILES[changed] + "\n\n"})
    assert answer(root, PART) is None


@pytest.mark.parametrize("changed", ["flow/other.py", "alone.py", "sizes.json", "subjects.py"])
def test_a_class_is_answered_after_a_change_of_something_else(root: Path, changed: str) -> None:
    keep(root, PART, RECIPE)
    write(root, {changed: FILES[changed] + "\n\n"})
    assert answer(root, PART) == 7


def test_a_class_runs_again_for_another_recipe_or_probe(root: Path) -> None:
    keep(root, PART, RECIPE, inputs=[[RECIPE], ["complete-state"]])
    assert answer(root, PART, [[RECIPE], ["complete-state"]]) == 7
    assert answer(root, PART, [[NESTED], ["complete-state"]]) is None
    assert answer(root, PART, [[RECIPE], ["global-state"]]) is None


def test_a_recipe_of_another_file_and_a_class_that_did_not_run_depend_on_all(root: Path) -> None:
    for recipe in (NESTED, {}):
        write(root, FILES)
        keep(root, PART, recipe)
        assert answer(root, PART) == 7
        write(root, {"flow/other.py": "class Other(list): pass\n"})
        assert answer(root, PART) is None


def test_a_module_that_imports_by_name_uses_its_package(root: Path) -> None:
    keep(root, LATE, RECIPE)
    write(root, {"flow/other.py": "class Other(list): pass\n"})
    assert answer(root, LATE) is None


def test_beside_a_single_module_only_data_that_it_names_counts(root: Path) -> None:
    keep(root, ALONE, RECIPE)
    write(root, {"report.json": "{'new': 1}\n"})
    assert answer(root, ALONE) == 7
    write(root, {"sizes.json": "[1, 2]\n"})
    assert answer(root, ALONE) is None


def test_another_torch_answers_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = root.parent / "site"
    metadata = "torch-99.dist-info/METADATA"
    write(site, {metadata: "Metadata-Version: 2.1\nName: torch\nVersion: 99\n"})
    monkeypatch.syspath_prepend(str(site))
    keep(root, PART, RECIPE)
    assert answer(root, PART) == 7
    write(site, {metadata: "Metadata-Version: 2.1\nName: torch\nVersion: 98\n"})
    assert answer(root, PART) is None


def test_a_newly_installed_package_answers_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = write(root.parent / "site", {"one.py": ""})
    monkeypatch.syspath_prepend(str(site))
    keep(root, PART, RECIPE)
    write(site, {"__pycache__/one.pyc": ""})
    assert answer(root, PART) == 7
    write(site, {"other-1.0.dist-info/METADATA": ""})
    assert answer(root, PART) is None


def test_a_damaged_file_counts_as_absent(root: Path) -> None:
    keep(root, PART, RECIPE)
    (file,) = (root.parent / "cache").glob("*.probes")
    content = file.read_bytes()
    for damaged in (content[:-9], b"", content[: len(content) // 2] + b"\xff" * 20):
        file.write_bytes(damaged)
        assert answer(root, PART) is None


def test_units_of_declared_subjects_are_answered_until_a_used_file_changes(root: Path) -> None:
    source = "subjects.py:subjects"
    sound = UNIT.record(Verdict.PASS, "holds", "it holds")

    def known() -> dict[str, object]:
        found = SubjectAnswers(find_project([str(root)]), enabled=True)
        return {**found.known(source, [UNIT])}

    def keep_record(verdict: Verdict) -> None:
        kept = SubjectAnswers(find_project([str(root)]), enabled=True)
        kept.keep(source, [UNIT], {UNIT.id: UNIT.record(verdict, "holds", "it holds")})
        kept.save()

    keep_record(Verdict.NO_VERDICT)
    assert known() == {}
    keep_record(Verdict.PASS)
    assert known() == {UNIT.id: sound}
    write(root, {"flow/numbers_.py": "SIZE = 4\n"})
    assert known() == {}


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@x")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_since_a_revision_only_classes_that_use_a_changed_file_are_looked_at(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "all")
    every = [PART, LATE, ALONE]
    assert answers(root).changed(every, "HEAD") == []
    assert answers(root).changed(every, "") == every
    write(root, {"flow/base.py": FILES["flow/base.py"] + "\n"})
    assert answers(root).changed(every, "HEAD") == [PART, LATE]
    git(root, "commit", "-qam", "base")
    write(root, {"recipes.yaml": "version: 1\n"})
    assert answers(root).changed(every, "HEAD") == every


VALVE = """
import os
import torch
from torch import nn


class Valve(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.open = torch.randperm(width)[: width // 2]
        self.scale = nn.Linear(width // 2, width)

    def forward(self, x):
        return self.scale(x[..., self.open])
"""
CRASHING = """

class Crashing(nn.Module):
    def forward(self, x):
        os.abort()
"""


@pytest.mark.slow  # runs modules in processes of their own
def test_a_second_run_reports_the_same_from_the_cache(root: Path) -> None:
    write(root, {"pyproject.toml": "[tool.esper-audit]\n", "valve.py": VALVE + CRASHING})
    os.chdir(root)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "all")
    first = json.loads(command("probe", "valve.py", "--format", "json").out)
    again = json.loads(command("probe", "valve.py", "--format", "json").out)
    assert [one["check"] for one in first["findings"]] == ["complete-state"]
    assert (first["coverage"].pop("cached"), again["coverage"].pop("cached")) == (0, 1)
    assert again == first  # the class that crashed ran again, and crashed again
    ran = command("probe", "valve.py", "--since", "HEAD")
    assert "2 classes unchanged since the revision, not looked at" in ran.out
    assert ran.status == 0
