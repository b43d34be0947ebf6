"""The reference library keeps every promise that it makes."""

from __future__ import annotations

import os

import pytest

from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.probe import discover_probes, run, units
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.pytest_plugin.plugin import promises
from esper_audit.pytest_plugin.promises import Promised

# The subjects are modules of esper_ref.
pytestmark = pytest.mark.torch

SOURCE = (
    os.path.join(
        os.path.dirname(__file__), os.pardir, "esper_ref_promises", "esper_ref_subjects.py"
    )
    + ":subjects"
)
SUBJECTS = load_subjects(SOURCE)


# All of them are run by the audit of this repository; these, in the process of the tests, show that the
# door for a project's own test module opens.
@promises(SOURCE, ["straight-through", "gate-evidence", "ema-bias", "alpha-schedule"])
def test_esper_ref_keeps_its_promise(promised: Promised) -> None:
    promised.check()


@pytest.mark.parametrize("probe", discover_probes())
def test_esper_ref_promises_something_to_every_probe(probe: str) -> None:
    assert any(unit.probe.id == probe for unit in units(SUBJECTS))


def test_what_a_subject_does_not_promise_is_not_applicable_and_says_why() -> None:
    records = list(run([s for s in SUBJECTS if s.name == "alpha-controller"], ["ema-bias"]))
    assert [(r.unit, r.verdict) for r in records] == [
        ("ema-bias[alpha-controller]", Verdict.NOT_APPLICABLE)
    ]
    assert records[0].message == "takes Average, not Schedule"
