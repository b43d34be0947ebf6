"""Why each check is on or off for a path: the reason behind every answer of `selection.Selection`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.project.config import Project, place_in_config
from esper_audit.project.config_tables import Config, PathSelection
from esper_audit.project.file_roles import Role, Roles
from esper_audit.project.path_patterns import PathPatterns
from esper_audit.rules.adoption import Adoption
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Check
from esper_audit.rules.selection import ALL
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.rules.version_ranges import (
    configured_versions,
    supported_versions,
    version_conflict,
    versions_of,
)

Reason = tuple[bool, str]


class CheckReason(msgspec.Struct, frozen=True):
    """Whether a check is on for a path, and why."""

    check: str
    severity: str
    is_on: bool
    why: str


class CheckReasons:
    """The reasons of a project's checks, with those that the command line selects or ignores.

    A tree rule that is on by default runs in `run`, and in `check` where it is selected.
    """

    def __init__(
        self, project: Project, select: Sequence[str] = (), ignore: Sequence[str] = ()
    ) -> None:
        self._config: Config = project.config
        self._file = project.file
        self._supported = supported_versions(project.root, configured_versions(project.config))
        self._select, self._ignore = select, ignore
        self.registry = RuleRegistry(project.local_rules)
        self._adoption = Adoption(project.config, project.file)
        self._roles = Roles(msgspec.structs.asdict(project.config.roles))

    def of(self, path: str) -> list[CheckReason]:
        """Return the reason of every check for a path, which is relative to the root."""
        registry = self.registry
        checks = {**registry.rules, **registry.tree_rules, **SUPPRESSION_CHECKS}
        reasons = []
        for check, kind in sorted(checks.items()):
            is_on, why = next(self._decisions(check, kind, path))
            reasons.append(CheckReason(check, str(kind.severity), is_on, why))
        return reasons

    def role(self, path: str) -> Role:
        """Return the role of a path."""
        return self._roles.of(path)

    def _decisions(self, check: str, kind: type[Check], path: str) -> Iterator[Reason]:
        """Yield the decisions on a check, the one that counts first."""
        yield from self._by_path(check, path)
        if not {check, ALL}.isdisjoint(self._ignore):
            yield False, "--ignore"
        yield from self._listed("ignore", self._config.ignore, check, is_on=False)
        if self._select:
            yield not {check, ALL}.isdisjoint(self._select), "--select"
        role = self._roles.of(path)
        if role not in kind.roles:
            judged = ", ".join(sorted(one.value for one in kind.roles))
            yield False, f"judges {judged}, and this path is {role.value}"
        yield from self._by_selection(check)
        yield from self._by_default(check, kind)

    def _by_path(self, check: str, path: str) -> Iterator[Reason]:
        """Yield the decision of the last table of `per-path` that names a check for a path."""
        for number in reversed(range(len(self._config.per_path))):
            entry = self._config.per_path[number]
            if not _covers(entry, path):
                continue
            yield from self._listed("ignore", entry.ignore, check, number=number, is_on=False)
            if not self._select and {check, ALL}.isdisjoint(self._ignore):
                yield from self._listed("select", entry.select, check, number=number, is_on=True)

    def _by_selection(self, check: str) -> Iterator[Reason]:
        config = self._config
        if config.select and {check, ALL}.isdisjoint([*config.select, *config.extend_select]):
            yield False, f"not in select ({self._place(('select',))})"
        yield from self._listed("select", config.select, check, is_on=True)
        yield from self._listed("extend-select", config.extend_select, check, is_on=True)

    def _by_default(self, check: str, kind: type[Check]) -> Iterator[Reason]:
        if not kind.default:
            yield False, f"off unless selected ({kind.precision or 'by its precision'})"
        if conflict := version_conflict(versions_of(kind), self._supported):
            yield False, conflict
        if check in self.registry.foreign_ids:
            yield True, "a rule of the project or of a plugin"
        contract = kind.contract
        if contract in self._adoption.not_adopted:
            yield False, f"policy {contract} is not adopted"
        by_contract = f"universal contract {contract}"
        if contract in self._adoption.policies:
            key = ("policies",) if contract in self._config.policies else ("profile",)
            by_contract = f"policy {contract}, adopted at {self._place(key)}"
        if issubclass(kind, TreeRule):
            yield False, f"reads the whole tree: on in `run` ({by_contract})"
        yield True, by_contract

    def _listed(
        self, key: str, checks: Sequence[str], check: str, *, is_on: bool, number: int = -1
    ) -> Iterator[Reason]:
        """Yield the decision of a list of the configuration that names a check."""
        for position, name in enumerate(checks):
            if name in (check, ALL):
                path = (key, position) if number < 0 else ("per-path", number, key, position)
                yield is_on, f"{key} at {self._place(path)}"

    def _place(self, path: Sequence[str | int]) -> str:
        return place_in_config(self._file, path)


def _covers(entry: PathSelection, path: str) -> bool:
    return PathPatterns([entry.path]).is_match(path)
