"""The subjects of esper_ref keep their promises, through the decorator for test modules."""

from __future__ import annotations

import os

import pytest
import torch

from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.jobs import collect_units
from esper_audit.probes.measure.execution.process_settings import restored_settings
from esper_audit.probes.probe import discover_probes
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.units import probe_subjects, units_of
from esper_audit.probes.universal import UniversalProbe
from esper_audit.subject import PromisedUnit, promises

# The subjects are modules of esper_ref.
pytestmark = pytest.mark.torch

SOURCE = (
    os.path.join(
        os.path.dirname(__file__), os.pardir, "esper_ref_promises", "esper_ref_subjects.py"
    )
    + ":subjects"
)
SUBJECTS = load_subjects(SOURCE)


# The audit of this repository runs all of them. These show that the decorator works in a test module.
@promises(SOURCE, ["straight-through", "gate-evidence", "ema-bias", "alpha-schedule"])
def test_esper_ref_keeps_its_promise(promised: PromisedUnit) -> None:
    promised.check()


DECLARED = [
    name for name, kind in discover_probes().items() if not issubclass(kind, UniversalProbe)
]


@pytest.mark.parametrize("probe", DECLARED)
def test_esper_ref_promises_something_to_every_probe(probe: str) -> None:
    assert any(unit.probe.id == probe for unit in units_of(SUBJECTS))


def test_a_probe_that_is_not_promised_is_not_applicable_for_a_reason() -> None:
    records = list(
        probe_subjects([s for s in SUBJECTS if s.name == "alpha-controller"], ["ema-bias"])
    )
    assert [(r.unit, r.verdict) for r in records] == [
        ("ema-bias[alpha-controller]", Verdict.NOT_APPLICABLE)
    ]
    assert records[0].message == "requires a subject of kind Average (got Schedule)"


def test_a_slow_probe_runs_if_it_is_configured_or_named() -> None:
    root = os.getcwd()
    quick = collect_units(root, SOURCE, slow=False)
    configured = collect_units(root, SOURCE, slow=True)
    named = collect_units(root, SOURCE, ["fullgraph"], slow=False)
    left_out = [r for r in quick.not_applicable if r.code == "slow"]
    assert not [unit for unit in quick.units if unit.probe == "fullgraph"]
    assert len(left_out) == len(configured.units) - len(quick.units) > 0
    assert {r.unit for r in left_out} <= {unit.id for unit in configured.units}
    assert {r.unit for r in left_out} <= {unit.id for unit in named.units}
    assert "--probe fullgraph" in left_out[0].message


def test_unchanged_algorithms_are_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", calls.append)
    with restored_settings():
        pass
    assert not calls
