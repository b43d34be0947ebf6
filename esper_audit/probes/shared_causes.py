"""Failures that share a cause: they raise at the same line, which one of the classes that fail holds."""

from __future__ import annotations

from collections.abc import Iterable

from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord

LINE = "line"  # of a witness: where the call raised


def places_of_causes(failed: Iterable[ProbeRecord]) -> list[tuple[DefinitionPlace, ProbeRecord]]:
    """Return failures with the place of their cause, those of its own class first.

    The place is that of the record, unless a class that fails by itself holds the line that raised.
    """
    records = list(failed)
    owners = {_cause(one): one.places[0] for one in records if _is_at_line(one)}
    placed = [(owners.get(_cause(one), one.places[0]), one) for one in records]
    return sorted(placed, key=lambda pair: pair[0] != pair[1].places[0])


def _cause(record: ProbeRecord) -> tuple[str, str, str]:
    line = str(record.witness.get(LINE, ""))
    return record.probe, record.code, line or record.unit


def _is_at_line(record: ProbeRecord) -> bool:
    """Return whether the class of a record holds the line that raised."""
    path, _, line = str(record.witness.get(LINE, "")).rpartition(":")
    place = record.places[0]
    return (
        bool(path)
        and f"/{place.path}".endswith(f"/{path}")
        and place.line <= int(line) <= place.end_line
    )
