"""Every probe returns the right verdict on every module of its corpus, for the right reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from subjects.cases import Case
from support.probe_corpora import corpora, corpus
from support.public_names import imports_in, private_imports

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.discovery.jobs import repeat_program
from esper_audit.probes.probe import discover_probes
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.units import Unit, measure_unit, probe_subjects

# Slow: each probe runs on every module of its corpus; some are compiled, some need two processes.
pytestmark = [pytest.mark.slow, pytest.mark.torch]


def record_of(probe: str, case: Case) -> ProbeRecord:
    if isinstance(case.subject, Discovered):
        return measure_unit(Unit(case.subject, BIRTH, discover_probes()[probe](), ()))
    return next(record for record in probe_subjects([case.subject]) if record.probe == probe)


@pytest.mark.parametrize(
    ("probe", "case"), [pytest.param(p, c, id=f"{p}-{c.subject.name}") for p, c in corpora()]
)
def test_the_verdict_and_its_reasons_are_right(probe: str, case: Case, tmp_path: Path) -> None:
    record = record_of(probe, case)
    broken = tuple(number.detector for number in record.numbers if not number.held)
    assert (record.verdict, broken) == (case.verdict, case.detectors), record.message
    # The corpora break every limit, so that these are all reproducers that a probe can return.
    if isinstance(case.subject, Discovered):
        for failure in record.failures:
            assert list(imports_in(failure.reproducer)) == []
            ended = repeat_program(failure.reproducer, str(tmp_path))
            assert ended.startswith(failure.expects), failure.reproducer
            assert failure.expects
    else:
        assert list(imports_in(record.reproducer))
        assert private_imports(record.reproducer) == []


@pytest.mark.parametrize("probe", discover_probes())
def test_every_corpus_holds_what_is_sound_and_what_is_broken(probe: str) -> None:
    verdicts = {case.verdict for case in corpus(probe)}
    assert {Verdict.PASS, Verdict.FAIL} <= verdicts


@pytest.mark.parametrize(
    ("probe", "sound", "broken"),
    [
        ("causality", 12, 28),
        ("seed-input-isolation", 4, 15),
        ("fullgraph", 12, 18),
        ("identity-at-birth", 6, 5),
        ("learns-at-birth", 5, 7),
    ],
)
def test_no_corpus_is_smaller_than_what_its_design_was_measured_on(
    probe: str, sound: int, broken: int
) -> None:
    """Of different modules: the same one under two promises counts once."""
    builds = [
        {case.subject.build for case in corpus(probe) if case.verdict is verdict}
        for verdict in (Verdict.PASS, Verdict.FAIL)
    ]
    assert len(builds[0]) >= sound
    assert len(builds[1]) >= broken


@pytest.mark.parametrize("probe", discover_probes())
def test_every_limit_is_broken_by_some_module(probe: str) -> None:
    """A detector that no module of the corpus needs has not been shown to work."""
    detectors = {detector for case in corpus(probe) for detector in case.detectors}
    elsewhere = {"graphs"} if probe == "fullgraph" else set()  # below: it takes another process
    assert set(discover_probes()[probe].limits) == detectors | elsewhere


def test_a_compiler_that_is_switched_off_is_no_proof() -> None:
    program = (
        "from support.probe_corpora import corpus; from esper_audit.probes.units import probe_subjects;"
        "print([(r.verdict.value, r.code) for r in probe_subjects([corpus('fullgraph')[0].subject])][3])"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.pathsep.join((here, os.path.dirname(here), os.path.dirname(os.path.dirname(here))))
    environment = {**os.environ, "PYTHONPATH": path, "TORCHDYNAMO_DISABLE": "1"}
    command = [sys.executable, "-c", program]
    completed = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    assert completed.stdout.strip() == "('inconclusive', 'graphs')"


@pytest.mark.parametrize("probe", discover_probes())
def test_every_probe_documents_itself(probe: str) -> None:
    assert discover_probes()[probe].documentation().tickets
