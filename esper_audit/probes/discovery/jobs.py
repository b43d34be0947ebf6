"""The sandbox jobs of discovery: find the classes of modules, check one class, repeat a reproducer."""

from __future__ import annotations

import contextlib
import io
import os
import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import torch
from torch import nn
from torch.overrides import resolve_name

from esper_audit.findings.coverage import NOT_CHECKED, ClassCoverage, Stage
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict, failing_by
from esper_audit.probes.discovery.base_classes import is_base_class
from esper_audit.probes.discovery.classes import find_classes as find_classes
from esper_audit.probes.discovery.construction.guesses import guess_table
from esper_audit.probes.discovery.lengths import length_problem
from esper_audit.probes.discovery.observation import observe_calls as observe_calls
from esper_audit.probes.discovery.possible_failures import (
    ONLY_POSSIBLE,
    universal_probes,
    without_possible,
)
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.discovery.time_limit import TimeLimitReached, time_limit
from esper_audit.probes.discovery.trial import TrialResult
from esper_audit.probes.measure.execution.process_settings import restored_settings
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.plain_data import encode_recipe
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import recipes_from_plain
from esper_audit.probes.recipes.smaller_recipe import full_recipe
from esper_audit.probes.recipes.subject import Discovered, subject_by_recipe
from esper_audit.probes.shared_causes import PARTS
from esper_audit.probes.source_calls.call_sites import find_call_sites as find_call_sites
from esper_audit.probes.subject.class_source import is_own_module
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.units import Unit, measure_unit
from esper_audit.probes.universal import UniversalProbe

# A random table that is no buffer is missing in the state dict; that it also stays behind, and keeps its dtype,
# is the same defect.
EXPLAINED = {
    "followed-device": {("complete-state", "output")},
    "followed-dtype": {("complete-state", "output"), ("followed-device", "attribute")},
}
TEST_SUPPORT = re.compile(r"\.(testing|tests?)\.")  # a module of a package that its tests use
CHECK_SECONDS = 6.0  # of processor time for a class, the most severe contracts first
OF_SIZE = ("reached-parameters",)  # with fewer layers, what the others would use is not reached
OF_FUNCTIONS = ("finite-gradients", "inputs-unmodified")
NOTHING_READ = "nothing-read"
CONSTANT = "no value of the input reaches the output"
OWN_ERRORS = "own-attributes"  # checked also where no call runs


class CheckedClass(msgspec.Struct, frozen=True):
    """How far a class came, the records of its contracts, the recipe by which it runs, and the classes of its parts."""

    coverage: ClassCoverage
    records: list[ProbeRecord] = []
    recipe: dict[str, Any] = {}
    parts: list[str] = []


def prepare_classes() -> None:
    """Load the tables that the jobs of all classes need, in the process that these are forked from."""
    guess_table()
    resolve_name(torch.add)


def check_class(
    one: dict[str, object],
    root: str,
    probes: list[str],
    recipes: list[dict[str, Any]],
    *,
    possible: bool = False,
) -> CheckedClass:
    """Find a recipe for a class, the known ones first, and check the universal contracts if it runs.

    What is only possible is a failure with `possible`, or of a probe that is named.
    """
    found = msgspec.convert(one, ModuleClass)
    os.chdir(os.environ.get("TMPDIR", root))
    known = recipes_from_plain(recipes)
    trial = find_recipe(found.target, known)
    coverage = _coverage(found, trial)
    subject = subject_by_recipe(trial.recipe)
    if trial.stage is Stage.BUILT and trial.failure is not None:
        return CheckedClass(coverage, _own_errors(subject, found, probes))
    if trial.stage is not Stage.RUN:
        return CheckedClass(coverage)
    chosen = _chosen(probes, is_function=trial.recipe.is_function)
    checked, skipped = _checked_within_budget(subject, found, chosen)
    full = full_recipe(trial.recipe, known)
    checked = [_confirmed(record, full, found) for record in checked] if full else checked
    if TEST_SUPPORT.search(found.target):
        checked = list(map(_as_property, checked))
    records = _without_explained(checked)
    records, unsure = (records, []) if possible else without_possible(records, probes)
    properties = [
        *_by_design(records),
        *([CONSTANT] if trial.is_constant else []),
        *(f"possible: {text}" for text in (length_problem(subject), *unsure) if text),
        *([f"{NOT_CHECKED}: {', '.join(skipped)}"] if skipped else []),
    ]
    reached = msgspec.structs.replace(coverage, stage=Stage.CHECKED, properties=tuple(properties))
    parts = [] if found.is_function else part_names(subject.build())
    return CheckedClass(reached, records, encode_recipe(trial.recipe), parts)


def _coverage(found: ModuleClass, trial: TrialResult) -> ClassCoverage:
    """Return how far the search came with a class."""
    return ClassCoverage(
        name=found.target.replace(":", "."),
        path=found.path,
        line=found.line,
        stage=trial.stage,
        origin=trial.recipe.origin,
        reason=trial.reason,
        stale=trial.stale,
        is_base=_is_base(trial, found),
    )


def _by_design(records: Sequence[ProbeRecord]) -> Iterator[str]:
    """Yield a line for each contract that a class breaks by design."""
    for record in records:
        is_known = record.code not in {NOTHING_READ, ONLY_POSSIBLE}
        if record.verdict is Verdict.NOT_APPLICABLE and is_known:
            yield f"{record.probe}: {record.message}"


def _is_base(trial: TrialResult, found: ModuleClass) -> bool:
    """Return whether a class that did not run is only a base of others."""
    if found.is_function or trial.stage is Stage.RUN:
        return False
    return is_base_class(import_name(found.target), trial.failure)


def _checked_within_budget(
    subject: Discovered, found: ModuleClass, probes: Sequence[type[UniversalProbe]]
) -> tuple[list[ProbeRecord], list[str]]:
    """Return the records that the budget of a class allows, and the probes that it does not."""
    records: list[ProbeRecord] = []
    with contextlib.suppress(TimeLimitReached), time_limit(CHECK_SECONDS):
        records.extend(_checked(subject, probe, found) for probe in probes)
    return records, [later.id for later in probes[len(records) :]]


def _confirmed(record: ProbeRecord, full: Recipe, found: ModuleClass) -> ProbeRecord:
    """Return a failure that depends on the size of a module as its full size shows it."""
    if record.probe not in OF_SIZE or record.verdict is not Verdict.FAIL:
        return record
    (probe,) = _chosen([record.probe], is_function=False)
    at_full_size = _checked(subject_by_recipe(full), probe, found)
    return record if at_full_size.verdict is Verdict.FAIL else at_full_size


def _own_errors(
    subject: Discovered, found: ModuleClass, probes: Sequence[str]
) -> list[ProbeRecord]:
    """Return the failure of a class that no call runs, if it is the class's own."""
    chosen = [p for p in _chosen(probes, is_function=False) if p.id == OWN_ERRORS]
    records, _ = _checked_within_budget(subject, found, chosen)
    return [record for record in records if record.verdict is Verdict.FAIL]


def _without_explained(records: Sequence[ProbeRecord]) -> list[ProbeRecord]:
    """Return the records without the failures that a more severe one of the same cause explains."""
    failed = {(r.probe, failure.code) for r in records for failure in r.failures}
    explained = {probe for probe, causes in EXPLAINED.items() if causes & failed}
    return [r for r in records if r.probe not in explained or r.verdict is not Verdict.FAIL]


def _as_property(record: ProbeRecord) -> ProbeRecord:
    """Return a failure as a property of a class that only tests use, any other record as it is."""
    if record.verdict is not Verdict.FAIL:
        return record
    message = f"{record.message}, in what supports tests"
    return msgspec.structs.replace(
        record, verdict=Verdict.NOT_APPLICABLE, message=message, failures=()
    )


def _chosen(probes: Sequence[str], *, is_function: bool) -> list[type[UniversalProbe]]:
    every = [probe for probe in universal_probes() if not probes or probe.id in probes]
    every.sort(key=lambda probe: probe.severity)
    return [probe for probe in every if not is_function or probe.id in OF_FUNCTIONS]


def _checked(subject: Discovered, probe: type[UniversalProbe], found: ModuleClass) -> ProbeRecord:
    """Return the record of one contract, inconclusive if the measurement raised."""
    record = measure_unit(Unit(subject, BIRTH, probe(), ()))
    if record.verdict is Verdict.NO_VERDICT:
        record = msgspec.structs.replace(record, verdict=Verdict.INCONCLUSIVE)
    elif record.code == NOTHING_READ:
        record = msgspec.structs.replace(record, verdict=Verdict.NOT_APPLICABLE)
    elif record.verdict is Verdict.FAIL and not subject.recipe.is_function:
        record = _with_parts(record, subject.build())
    symbol = subject.recipe.class_name
    place = DefinitionPlace(found.path, found.line, found.end_line, symbol)
    return msgspec.structs.replace(record, places=(place,))


def _with_parts(record: ProbeRecord, module: nn.Module) -> ProbeRecord:
    """Return a failed record whose witnesses name the classes that may be its cause."""
    kind = type(module)
    bases = [base for base in kind.__mro__[1:] if vars(base).get("forward") is kind.forward]
    names = [*part_names(module), *map(_dotted_name, filter(is_own_module, bases))]
    parts = " ".join(name for name in dict.fromkeys(names) if name != record.subject)
    failures = [
        msgspec.structs.replace(one, witness={**one.witness, PARTS: parts})
        for one in record.failures
    ]
    return failing_by(record, failures) if parts else record


def part_names(module: nn.Module) -> list[str]:
    """Return the classes of the parts of a module that are not torch's, without its own."""
    kinds = dict.fromkeys(type(part) for part in module.modules())
    return [_dotted_name(one) for one in kinds if is_own_module(one) and one is not type(module)]


def _dotted_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def repeat_program(program: str, folder: str) -> str:
    """Run a program in this process, in an empty folder, and return the last line of its error."""
    os.chdir(folder or os.environ.get("TMPDIR", "."))
    try:
        with restored_settings(), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "<reproducer>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the program is ours
    except BaseException as error:  # noqa: BLE001 - the error is the result
        return traceback.format_exception_only(error)[-1].strip()
    return ""
