"""The sandbox jobs of one mutant: measure one unit, or all units of a subject."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from esper_audit.findings.errors import EsperAuditError
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Subject
from esper_audit.probes.units import (
    Unit,
    blocked_record,
    measure_unit,
    probe_subjects,
    units_of,
)
from esper_audit.project.config import find_project
from esper_audit.rules.suppression.expected_failures import apply_expectation

SUBJECTS = os.path.join(
    os.path.dirname(__file__),
    os.pardir,
    "tests",
    "esper_ref_promises",
    "esper_ref_subjects.py:subjects",
)
BAD = (Verdict.FAIL, Verdict.NO_VERDICT, Verdict.UNEXPECTED_PASS)


class StaleTable(EsperAuditError):
    """The table of mutants does not match the library or its subjects."""


def judge(tree: str, unit: str) -> dict[str, str]:
    """Return the record of a unit on the `esper_ref` in the folder `tree`, its prerequisites included."""
    _probe, _, subject = unit.partition("[")
    chosen = [s for s in subjects(tree) if s.name == subject.partition("@")[0]]
    found = {candidate.id: candidate for candidate in units_of(chosen, None)}
    if unit not in found:
        raise StaleTable(f"{unit}: no subject of esper_ref promises it. Correct the table")
    return plain(record_of(found, unit))


def record_of(found: Mapping[str, Unit], unit: str) -> ProbeRecord:
    """Measure the prerequisites of a unit, then the unit."""
    before = {name: record_of(found, name).verdict for name in found[unit].prerequisites}
    return blocked_record(found[unit], before) or measure_unit(found[unit])


def survey(tree: str, subject: str) -> list[dict[str, str]]:
    """Return the records of all broken promises of a subject."""
    chosen = [s for s in subjects(tree) if s.name == subject]
    return [record for record in map(plain, probe_subjects(chosen)) if record["verdict"] in BAD]


def names(tree: str) -> list[str]:
    """Return the names of all subjects."""
    return [subject.name for subject in subjects(tree)]


def subjects(tree: str) -> list[Subject]:
    """Return the subjects of the `esper_ref` in `tree`.

    Raise StaleTable if another one is imported.
    """
    sys.path.insert(0, tree)
    declared = load_subjects(SUBJECTS)
    import esper_ref

    if not f"{esper_ref.__file__}".startswith(tree):
        raise StaleTable(f"esper_ref was imported from {esper_ref.__file__}, not from {tree}")
    return declared


def plain(record: ProbeRecord) -> dict[str, str]:
    """Return the fields of a record that the table compares, with expected failures applied."""
    project = find_project([os.path.dirname(os.path.abspath(__file__))])
    record = apply_expectation(record, project.config.expect, today="")
    return {
        "unit": record.unit,
        "verdict": record.verdict.value,
        "code": record.code,
        "message": record.message,
    }
