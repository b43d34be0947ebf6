"""Failures that are listed as possible: those of detectors of which maintainers mend too few."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from esper_audit.findings.probe_record import ProbeRecord, Verdict, failing_by
from esper_audit.probes.probe import probes_in
from esper_audit.probes.universal import UniversalProbe
from esper_audit.rules.probe_catalogue import universal_modules

ONLY_POSSIBLE = "only-possible"


def universal_probes() -> list[type[UniversalProbe]]:
    """Return the probes of universal contracts in order of their ids."""
    return [p for p in probes_in(universal_modules()).values() if issubclass(p, UniversalProbe)]


def without_possible(
    records: Sequence[ProbeRecord], requested: Collection[str]
) -> tuple[list[ProbeRecord], list[str]]:
    """Return records without the failures that are only possible, and a line for each of these.

    A probe that was requested by name keeps all its failures.
    """
    possible = {p.id: p.possible for p in universal_probes() if p.id not in requested}
    lines = [
        f"{record.probe}: {failure.message}"
        for record in records
        for failure in record.failures
        if failure.code in possible.get(record.probe, ())
    ]
    return [_without(record, possible.get(record.probe, frozenset())) for record in records], lines


def _without(record: ProbeRecord, possible: Collection[str]) -> ProbeRecord:
    kept = [failure for failure in record.failures if failure.code not in possible]
    if len(kept) == len(record.failures):
        return record
    if kept:
        return failing_by(record, kept)
    return msgspec.structs.replace(
        record, verdict=Verdict.NOT_APPLICABLE, code=ONLY_POSSIBLE, failures=(), reproducer=""
    )
