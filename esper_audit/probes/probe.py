"""The base class of all probes, and the discovery of those in `catalogue/`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading
from esper_audit.probes.subject.subject import Subject
from esper_audit.rules.probe_catalogue import probe_modules
from esper_audit.rules.rule import Check, Options

SubjectKind = TypeVar("SubjectKind", bound=Subject)


class Probe(Generic[SubjectKind], Check):
    """A check that runs a live subject: `measure` yields readings, and `limits` bounds them.

    `takes` is the kind of subject that the probe can run. `requires` names the probes that must pass
    before this one runs. If `columns` are named, each witness that has all of them becomes a row of the
    record's table. `has_separate_causes` means that each detector that fails is a finding of its own.
    A slow probe runs only where it is requested by name or `probing.slow` is configured.
    """

    version: ClassVar[int] = 1
    takes: ClassVar[type[Subject] | tuple[type[Subject], ...]] = Subject
    requires: ClassVar[tuple[str, ...]] = ("reproducible",)
    limits: ClassVar[Limits]
    columns: ClassVar[tuple[str, ...]] = ()
    has_separate_causes: ClassVar[bool] = False
    is_slow: ClassVar[bool] = False
    Parameters: ClassVar[type[Options]] = Options

    def __init__(self, parameters: Options | None = None) -> None:
        self.parameters = self.Parameters() if parameters is None else parameters

    def measure(self, subject: SubjectKind, state: str) -> Iterator[Reading]:
        """Yield the readings of each detector on a subject in a state."""
        raise NotImplementedError

    def allowed(self) -> Limits:
        """Return the limits under this promise's parameters."""
        return self.limits

    def reproducer(self, subject: SubjectKind, state: str, witness: Mapping[str, Plain]) -> str:
        """Return a Python program that repeats the measurement of the witness."""
        return (
            "from esper_audit.subject import probe_unit\n\n"
            f"record = probe_unit({subject.source!r}, {unit_id(self.id, subject, state)!r})\n"
            "print(record.verdict, record.code, record.message)\n"
        )

    def reproduction(
        self, subject: SubjectKind, state: str, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that repeats the measurement, and the error that it ends with, if any."""
        return self.reproducer(subject, state, witness), ""

    def by_design(self, subject: SubjectKind, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason why a breach is by design, empty if it is a failure."""
        return ""


def unit_id(probe: str, subject: Subject, state: str) -> str:
    """Return the id of a unit, `probe[subject@state]`, or `probe[subject]` if there is no state."""
    return f"{probe}[{subject.name}@{state}]" if state else f"{probe}[{subject.name}]"


@cache
def discover_probes() -> dict[str, type[Probe[Any]]]:
    """Return every probe by its id: each file in `catalogue/` defines one."""
    return probes_in(probe_modules())


def probes_in(modules: Iterable[str]) -> dict[str, type[Probe[Any]]]:
    """Return the probe that each module defines, by its id."""
    found: dict[str, type[Probe[Any]]] = {}
    for name in modules:
        module = importlib.import_module(name)
        classes = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Probe)]
        found |= {probe.id: probe for probe in classes if probe.__module__ == name}
    return found
