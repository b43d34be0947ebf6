"""The example of the guide to declaring subjects loads, keeps its promises, and fails where expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.probe import discover_probes
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.units import probe_subjects
from esper_audit.project.config import find_project
from esper_audit.rules.suppression.expected_failures import apply_expectation

# The guide probes modules.
pytestmark = pytest.mark.torch

GUIDE = (Path(__file__).parents[2] / "docs" / "declaring-subjects.md").read_text(encoding="utf-8")
TODAY = "2026-01-01"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[ProbeRecord]:
    """Return the records of the guide's example under the guide's configuration."""
    root = tmp_path_factory.mktemp("guide")
    (root / "tests").mkdir()
    (root / "tests" / "my_subjects.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    (root / "pyproject.toml").write_text("\n".join(blocks("toml")), encoding="utf-8")
    project = find_project([str(root)])
    file, _, function = project.config.subjects[0].partition(":")
    subjects = load_subjects(f"{project.resolve(file)}:{function}")
    return [
        apply_expectation(r, project.config.expect, TODAY)
        for r in probe_subjects(subjects)
        if r.state
    ]


def test_every_promise_of_the_example_is_kept_but_the_one_that_is_expected_to_be_broken(
    records: list[ProbeRecord],
) -> None:
    others = {record.unit: record.verdict for record in records if record.verdict != "pass"}
    assert others == {"causality[smoothing@birth]": Verdict.EXPECTED_FAIL}


def test_the_example_puts_a_registry_and_a_slot_in_its_states_under_probes(
    records: list[ProbeRecord],
) -> None:
    units = {record.unit for record in records}
    assert "param-estimate[transformer/attention@birth]" in units
    assert {"straight-through[slot@training]", "fullgraph[slot@germinated]"} <= units
    assert "straight-through[slot@germinated]" not in units


def test_the_guide_explains_every_verdict() -> None:
    explained = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.M))))
    assert explained == {verdict.value for verdict in Verdict}


def test_the_guide_names_no_probe_that_does_not_exist() -> None:
    promised = set(re.findall(r'promise\("([a-z-]+)"', GUIDE))
    assert promised <= set(discover_probes())
