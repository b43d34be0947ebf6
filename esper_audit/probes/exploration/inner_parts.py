"""Failures of a class that are properties where the modules that hold it are sound.

What a layer overwrites, and what it makes in its first call, concerns its owners alone. A private class is made for
the modules that hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.exploration.class_result import ClassResult
from esper_audit.text.markdown import count

# Contracts between a module and its owner: what it overwrites, and what the owner's constructor makes complete.
OF_OWNERS = frozenset({"inputs-unmodified", "complete-state"})
DECIDED = frozenset({Verdict.PASS, Verdict.FAIL})


def without_inner_failures(results: Mapping[str, ClassResult]) -> dict[str, ClassResult]:
    """Return the results with the failures as properties that no module around the class has."""
    verdicts = {(r.subject, r.probe): r.verdict for one in results.values() for r in one.records}
    holders: dict[str, list[str]] = {}
    for one in results.values():
        for part in one.parts:
            holders.setdefault(part, []).append(one.coverage.name)
    found: dict[str, ClassResult] = {}
    for target, one in results.items():
        around = holders.get(one.coverage.name, [])
        inner = [record for record in one.records if _is_inner(record, around, verdicts)]
        found[target] = _with_properties(one, inner, around)
    return found


def _is_inner(
    record: ProbeRecord, around: list[str], verdicts: Mapping[tuple[str, str], Verdict]
) -> bool:
    """Return whether a class fails, and others that hold it were looked at and keep the contract."""
    is_private = record.subject.rpartition(".")[2].startswith("_")
    if record.verdict is not Verdict.FAIL or not (is_private or record.probe in OF_OWNERS):
        return False
    known = {verdicts.get((holder, record.probe), Verdict.INCONCLUSIVE) for holder in around}
    return known & DECIDED == {Verdict.PASS}


def _with_properties(
    result: ClassResult, inner: list[ProbeRecord], around: list[str]
) -> ClassResult:
    if not inner:
        return result
    texts = {record.unit: _text(record, around) for record in inner}
    records = [
        msgspec.structs.replace(
            record,
            verdict=Verdict.NOT_APPLICABLE,
            message=texts[record.unit],
            failures=(),
            reproducer="",
        )
        if record.unit in texts
        else record
        for record in result.records
    ]
    properties = (*result.coverage.properties, *_lines(inner, texts))
    coverage = msgspec.structs.replace(result.coverage, properties=properties)
    return msgspec.structs.replace(result, coverage=coverage, records=records)


def _lines(inner: list[ProbeRecord], texts: Mapping[str, str]) -> Iterator[str]:
    return (f"{record.probe}: {texts[record.unit]}" for record in inner)


def _text(record: ProbeRecord, around: list[str]) -> str:
    first, others = around[0].rpartition(".")[2], len(around) - 1
    holders = f"{first} and {count(others, 'other module')}" if others else first
    return f"{record.message}, but {holders} around it {'keep' if others else 'keeps'} the contract"
