"""The sandbox jobs of discovery: find the classes of modules, check one class, repeat a reproducer."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
from collections.abc import Sequence

import msgspec

from esper_audit.findings.coverage import ClassCoverage, Stage
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict
from esper_audit.probes.discovery.classes import find_classes as find_classes
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.discovery.trial import find_recipe
from esper_audit.probes.measure.process_settings import restored_settings
from esper_audit.probes.probe import probes_in
from esper_audit.probes.recipes.subject import Discovered, subject_by_recipe
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.units import Unit, measure_unit
from esper_audit.probes.universal import UniversalProbe
from esper_audit.rules.probe_catalogue import universal_modules


class CheckedClass(msgspec.Struct, frozen=True):
    """How far a class came, and the records of the contracts that it was checked by."""

    coverage: ClassCoverage
    records: list[ProbeRecord] = []


def universal_probes() -> list[type[UniversalProbe]]:
    """Return the probes of universal contracts in order of their ids."""
    return [p for p in probes_in(universal_modules()).values() if issubclass(p, UniversalProbe)]


def check_class(one: dict[str, object], root: str, probes: list[str]) -> CheckedClass:
    """Find a recipe for a class, and check the universal contracts if it runs."""
    found = msgspec.convert(one, ModuleClass)
    os.chdir(os.environ.get("TMPDIR", root))
    trial = find_recipe(found.target)
    coverage = ClassCoverage(
        name=found.target.replace(":", "."),
        path=found.path,
        line=found.line,
        stage=trial.stage,
        origin=trial.recipe.origin,
        reason=trial.reason,
    )
    if trial.stage is not Stage.RUN:
        return CheckedClass(coverage)
    subject = subject_by_recipe(trial.recipe)
    records = [_checked(subject, probe, found) for probe in _chosen(probes)]
    properties = [
        f"{record.probe}: {record.message}"
        for record in records
        if record.verdict is Verdict.NOT_APPLICABLE
    ]
    coverage = msgspec.structs.replace(coverage, stage=Stage.CHECKED, properties=tuple(properties))
    return CheckedClass(coverage, records)


def _chosen(probes: Sequence[str]) -> list[type[UniversalProbe]]:
    return [probe for probe in universal_probes() if not probes or probe.id in probes]


def _checked(subject: Discovered, probe: type[UniversalProbe], found: ModuleClass) -> ProbeRecord:
    """Return the record of one contract, inconclusive if the measurement raised."""
    record = measure_unit(Unit(subject, BIRTH, probe(), ()))
    if record.verdict is Verdict.NO_VERDICT:
        record = msgspec.structs.replace(record, verdict=Verdict.INCONCLUSIVE)
    symbol = subject.recipe.class_name
    place = DefinitionPlace(found.path, found.line, found.end_line, symbol)
    return msgspec.structs.replace(record, places=(place,))


def repeat_program(program: str, folder: str) -> str:
    """Run a program in this process, in an empty folder, and return the last line of its error."""
    os.chdir(folder or os.environ.get("TMPDIR", "."))
    try:
        with restored_settings(), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "<reproducer>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the program is ours
    except BaseException as error:  # noqa: BLE001 - the error is the result
        return traceback.format_exception_only(error)[-1].strip()
    return ""
