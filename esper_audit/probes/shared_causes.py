"""Failures that share a cause: they raise at the same line, or a part or base fails by itself in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord

LINE = "line"  # of a witness: where the call raised, after the lines of its callers
CALLS = " > "  # between these lines
PARTS = "parts"  # of a witness: the classes of the parts of the module, and the base whose forward it has


def places_of_causes(failed: Iterable[ProbeRecord]) -> list[tuple[DefinitionPlace, ProbeRecord]]:
    """Return failures with the place of their cause, those of its own class first.

    The place is that of the innermost class on the way to the line that fails by itself at this line: what a
    part gets may be the fault of the part's owner. Where no such class fails it is the first class that fails at this
    line, as several that derive from one base do. Without a line it is that of the innermost part, or of the
    base whose forward a class has.
    """
    records = list(failed)
    causes = {(one.probe, one.code, one.subject): one for one in records}
    placed = [
        (_place_of_cause(one, records) if _lines(one) else _innermost(one, causes).places[0], one)
        for one in records
    ]
    return sorted(placed, key=lambda pair: pair[0] != pair[1].places[0])


def _place_of_cause(record: ProbeRecord, failed: Sequence[ProbeRecord]) -> DefinitionPlace:
    same = [one.places[0] for one in failed if _cause(one) == _cause(record)]
    for line in reversed(_lines(record)):
        for place in same:
            if _is_at(place, line):
                return place
    return min(same)


def _innermost(
    record: ProbeRecord, causes: Mapping[tuple[str, str, str], ProbeRecord]
) -> ProbeRecord:
    """Return the record of the innermost part that fails in the same way, the record itself if none does."""
    rest, inner = dict(causes), [record]
    while inner:
        record = min(inner, key=lambda one: len(_parts(one)))
        keys = [(record.probe, record.code, name) for name in _parts(record)]
        inner = [rest.pop(key) for key in keys if key in rest]
    return record


def _parts(record: ProbeRecord) -> list[str]:
    return str(record.witness.get(PARTS, "")).split()


def _cause(record: ProbeRecord) -> tuple[str, str, str]:
    line = cause_line(record)
    return (record.probe, "", line) if line else (record.probe, record.code, record.unit)


def cause_line(record: ProbeRecord) -> str:
    """Return the innermost line of a class's own package at which it fails, empty if its witness names none."""
    lines = _lines(record)
    return lines[-1] if lines else ""


def _lines(record: ProbeRecord) -> list[str]:
    """Return the lines in the package of a class, those of other packages if there are no others."""
    every = [line for line in str(record.witness.get(LINE, "")).split(CALLS) if line]
    package = record.subject.partition(".")[0]
    return [one for one in every if re.match(rf"{package}(\.py|/)", one)] or every


def _is_at(place: DefinitionPlace, line: str) -> bool:
    """Return whether a class holds a line."""
    path, _, number = line.rpartition(":")
    in_file = f"/{place.path}".endswith(f"/{path}")
    return bool(path) and in_file and place.line <= int(number) <= place.end_line
