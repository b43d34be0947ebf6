"""Failures of a class that are properties where the modules that hold it are sound: it overwrites what they made."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.exploration.class_result import ClassResult
from esper_audit.text.markdown import count

OF_CALLERS = "inputs-unmodified"  # the probe of a contract that is between a module and its callers


def without_inner_failures(results: Mapping[str, ClassResult]) -> dict[str, ClassResult]:
    """Return the results with the failures as properties of classes whose owners all keep the contract."""
    verdicts = {
        record.subject: record.verdict
        for one in results.values()
        for record in one.records
        if record.probe == OF_CALLERS
    }
    owners: dict[str, list[str]] = {}
    for one in results.values():
        for part in one.parts:
            owners.setdefault(part, []).append(one.coverage.name)
    return {
        target: _as_property(one, owners[one.coverage.name])
        if _is_inner(one.coverage.name, owners, verdicts)
        else one
        for target, one in results.items()
    }


def _is_inner(name: str, owners: Mapping[str, list[str]], verdicts: Mapping[str, Verdict]) -> bool:
    """Return whether a class fails, and others that hold it were looked at and keep the contract."""
    known = [verdicts[owner] for owner in owners.get(name, []) if owner in verdicts]
    fails = verdicts.get(name) is Verdict.FAIL
    return fails and bool(known) and all(verdict is Verdict.PASS for verdict in known)


def _as_property(result: ClassResult, owners: list[str]) -> ClassResult:
    first, others = owners[0].rpartition(".")[2], len(owners) - 1
    holders = f"{first} and {count(others, 'other module')}" if others else first
    text = f"overwrites its input, but {holders} around it overwrite{'' if others else 's'} none"
    records = [_without_failure(record, text) for record in result.records]
    properties = (*result.coverage.properties, f"{OF_CALLERS}: {text}")
    coverage = msgspec.structs.replace(result.coverage, properties=properties)
    return msgspec.structs.replace(result, coverage=coverage, records=records)


def _without_failure(record: ProbeRecord, text: str) -> ProbeRecord:
    if record.probe != OF_CALLERS:
        return record
    return msgspec.structs.replace(
        record, verdict=Verdict.NOT_APPLICABLE, message=text, failures=(), reproducer=""
    )
