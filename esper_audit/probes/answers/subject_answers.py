"""Which records of declared subjects still hold, and which subjects files changed since a revision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.answers.unit_cache import UnitCache
from esper_audit.probes.answers.used_files import UsedFiles
from esper_audit.probes.jobs import UnitDescription
from esper_audit.project.config import Project


class SubjectAnswers:
    """The records of earlier runs for the units of subjects files.

    A record holds while the subjects file and all that it imports inside the project are the same. The units
    of one subject in one state depend on each other: all of them are known, or none.
    """

    def __init__(self, project: Project, *, enabled: bool) -> None:
        self._project, self._enabled = project, enabled
        self._cache = UnitCache(project, enabled=enabled)
        self._files = UsedFiles(project.root)
        self.save, self.save_new = self._cache.save, self._cache.save_new
        self.used = 0
        self._kept: set[str] = set()  # by the name of the first unit

    def known(self, source: str, units: Sequence[UnitDescription]) -> dict[str, ProbeRecord]:
        """Return the records of an earlier run that hold, by unit."""
        if not (self._enabled and self._file(source)):
            return {}
        digest = self._files.digest(self._file(source))
        found: dict[str, ProbeRecord] = {}
        for group in _groups(units):
            records = [self._cache.get(_name(source, unit), digest, ProbeRecord) for unit in group]
            known = [record for record in records if record is not None]
            if len(known) == len(group):
                found |= {record.unit: record for record in known}
        self.used += len(found)
        return found

    def keep(
        self, source: str, units: Sequence[UnitDescription], records: Mapping[str, ProbeRecord]
    ) -> None:
        """Keep the records of the groups in which each unit has a record with a verdict.

        They are in the cache from now on, also if this process is killed.
        """
        if not (self._enabled and self._file(source)):
            return
        digest = self._files.digest(self._file(source))
        for group in _groups(units):
            found = [records[unit.id] for unit in group if unit.id in records]
            has_verdicts = all(record.verdict is not Verdict.NO_VERDICT for record in found)
            first = _name(source, group[0])
            if has_verdicts and len(found) == len(group) and first not in self._kept:
                self._kept.add(first)
                for unit in group:
                    self._cache.put(_name(source, unit), digest, records[unit.id])
        self._cache.save_new()

    def changed(
        self, units: Mapping[str, list[UnitDescription]], revision: str
    ) -> dict[str, list[UnitDescription]]:
        """Return the units by source, none of a source that uses no file which changed since a revision.

        All of them if the revision is empty. Raises GitError.
        """
        if not revision:
            return {**units}
        changed = self._files.changed_since(revision)
        return {
            source: found if self._uses(source, changed) else [] for source, found in units.items()
        }

    def _uses(self, source: str, changed: set[str]) -> bool:
        file = self._file(source)
        return not file or self._files.uses_any(file, changed)

    def _file(self, source: str) -> str:
        """Return the subjects file, empty if it is named as a module."""
        place = source.rpartition(":")[0]
        return self._project.resolve(place) if place.endswith(".py") else ""


def _name(source: str, unit: UnitDescription) -> str:
    return f"{source} {unit.id}"


def _groups(units: Sequence[UnitDescription]) -> list[list[UnitDescription]]:
    groups: defaultdict[tuple[str, str], list[UnitDescription]] = defaultdict(list)
    for unit in units:
        groups[unit.subject, unit.state].append(unit)
    return [*groups.values()]
