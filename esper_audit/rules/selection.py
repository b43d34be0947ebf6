"""Select the checks that run on each file, from the command line, the configuration and the defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from esper_audit.findings.errors import ConfigError, UsageError
from esper_audit.findings.finding import Finding, Severity
from esper_audit.project.config import convert_table, place_in_config, split_rule_table
from esper_audit.project.config_tables import Config
from esper_audit.project.file_roles import Role, Roles
from esper_audit.project.path_patterns import PathPatterns
from esper_audit.rules.adoption import Adoption
from esper_audit.rules.probe_catalogue import probe_descriptions
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import AnyOptions, Check, FileRule, Triggers
from esper_audit.rules.rule_table import RuleSummary
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.rules.version_ranges import (
    configured_versions,
    parse_range,
    supported_versions,
    version_conflict,
    versions_of,
)
from esper_audit.text.phrases import did_you_mean

ALL = "all"


class Selection:
    """The rules of a project with their options, and the checks that are on for each path.

    Without a selection those checks are on whose `default` is True and whose contract is in force, and
    each judges the files of its roles. A rule that the project wrote itself needs no adoption. What the
    command line or `per-path` selects is on in files of every role.

    Tree rules read the whole project. With `whole` those that are on by default run. Otherwise a tree
    rule is on only where the command line or the configuration selects it. `where` names the
    configuration in messages. `root` is the folder of the project, whose packaging states the releases of
    torch and Python that it runs on.
    """

    def __init__(
        self,
        registry: RuleRegistry,
        config: Config,
        *,
        where: str,
        root: str = "",
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        whole: bool = False,
    ) -> None:
        self.where = where or "configuration"
        self._registry = registry
        self._rules = registry.summaries
        self._whole = whole
        self.adoption = Adoption(config, where)
        self._roles = Roles(msgspec.structs.asdict(config.roles))
        self._on: dict[str, frozenset[str]] = {}
        self._silent: dict[Role, frozenset[str]] = {}
        self.known = frozenset({*self._rules, *registry.tree_ids, *SUPPRESSION_CHECKS})
        self._options = config.rules
        self._versions, self._root = configured_versions(config), root
        self._require_ranges()
        self._per_path = [(entry, PathPatterns([entry.path])) for entry in config.per_path]
        further = [] if select else config.extend_select
        for path, check in _configured_checks(config):
            if problem := self._problem(check):
                raise ConfigError(f"{place_in_config(self.where, path)}: {problem}")
        for check in (*select, *ignore):
            if problem := self._problem(check):
                raise UsageError(problem)
        on = self._expanded(select or config.select) or self._defaults
        on |= self._expanded(further)
        self.base = frozenset(on - self._expanded(config.ignore) - self._expanded(ignore))
        self._ignored_by_hand = self._expanded(ignore)
        self._selected_by_hand = bool(select)
        self._instances: dict[str, FileRule] = {}
        for check in config.rules:  # their options are checked, and can change their triggers
            if check in self._rules:
                self.instance(check)

    def checks_for(self, path: str) -> frozenset[str]:
        """Return the ids of the checks that are on for a file (path relative to the root)."""
        if path not in self._on:
            self._on[path] = self._checks_for(path)
        return self._on[path]

    def _checks_for(self, path: str) -> frozenset[str]:
        on = set(self.base)
        if not self._selected_by_hand:
            on -= self._outside_role(self._roles.of(path))
        for entry, pattern in self._per_path:
            if pattern.is_match(path):
                if not self._selected_by_hand:
                    on |= self._expanded(entry.select) - self._ignored_by_hand
                on -= self._expanded(entry.ignore)
        return frozenset(on)

    def with_severity(self, finding: Finding) -> Finding:
        """Return a finding with the severity that `per-path` gives its check at its path, the last one's."""
        for entry, pattern in reversed(self._per_path):
            severity = entry.severity.get(finding.check)
            if severity is not None and pattern.is_match(finding.location.path):
                return msgspec.structs.replace(finding, severity=severity)
        return finding

    def without_switched_off_fix(self, finding: Finding) -> Finding:
        """Return a finding without its fix where the table of its rule has `fix = false`."""
        if finding.edit is None or self._options.get(finding.check, {}).get("fix", True):
            return finding
        return msgspec.structs.replace(finding, edit=None)

    def triggers(self, checks: Iterable[str]) -> dict[str, Triggers]:
        """Return the triggers of the rules among the checks that read one file, by id, sorted."""
        return {
            check: (self._instances.get(check) or self._rules[check]).triggers
            for check in sorted(checks)
            if check in self._rules
        }

    def instance(self, check: str) -> FileRule:
        """Return a rule that reads one file, with its options, imported at its first use."""
        if check not in self._instances:
            rule = self._registry.rule(check)
            options, severity = _settings(check, rule.Options, self._options, self.where)
            if self.adoption.is_adopted(rule.contract):
                options = options.where_adopted()
            self._instances[check] = rule(options, severity)
        return self._instances[check]

    def tree_instances(self, checks: Iterable[str]) -> list[TreeRule]:
        """Return the tree rules among the checks, with their options."""
        ids = sorted(set(checks).intersection(self._registry.tree_ids))
        rules = [self._registry.tree_rules[check] for check in ids]
        return [r(*_settings(r.id, r.Options, self._options, self.where)) for r in rules]

    @property
    def rule_ids(self) -> frozenset[str]:
        """The ids of the rules that read one file."""
        return frozenset(self._rules)

    @property
    def tree_ids(self) -> frozenset[str]:
        """The ids of the tree rules."""
        return frozenset(self._registry.tree_ids)

    @cached_property
    def authorised_words(self) -> Mapping[str, str]:
        """The words of `# WORD AUTHORIZED by ...` comments, each with the check that it suppresses."""
        return {w: check for check, rule in self._rules.items() for w in rule.authorised_words}

    @property
    def _defaults(self) -> set[str]:
        checks: dict[str, RuleSummary | type[Check]] = {**self._rules, **SUPPRESSION_CHECKS}
        if self._whole:
            checks |= self._registry.tree_rules
        own = self._registry.foreign_ids
        return {
            check
            for check, kind in checks.items()
            if kind.default
            and (check in own or self.adoption.is_in_force(kind.contract))
            and not self._is_of_other_versions(kind)
        }

    def _is_of_other_versions(self, kind: RuleSummary | type[Check]) -> bool:
        """Return whether a check concerns releases on which the project does not run."""
        needed = versions_of(kind)
        return bool(needed and version_conflict(needed, self._supported))

    def _require_ranges(self) -> None:
        for package, versions in self._versions.items():
            try:
                parse_range(versions)
            except ValueError as error:
                place = place_in_config(self.where, ("versions", package))
                raise ConfigError(f"{place}: {error}") from error

    @cached_property
    def _supported(self) -> Mapping[str, str]:
        return supported_versions(self._root, self._versions)

    def _outside_role(self, role: Role) -> frozenset[str]:
        """Return the checks that are on and do not judge files of a role."""
        if role not in self._silent:
            checks: dict[str, RuleSummary | type[Check]] = {**self._rules, **SUPPRESSION_CHECKS}
            if not self.base.isdisjoint(self._registry.tree_ids):
                checks |= self._registry.tree_rules
            kinds = ((check, checks[check]) for check in self.base)
            self._silent[role] = frozenset(c for c, kind in kinds if role not in kind.roles)
        return self._silent[role]

    def _expanded(self, checks: Iterable[str]) -> set[str]:
        return set().union(*({*self.known} if check == ALL else {check} for check in checks))

    def _problem(self, check: str) -> str:
        """Return why a name is no check of a selection, empty if it is one."""
        if check == ALL or check in self.known:
            return ""
        if check in probe_descriptions():
            return f"{check} is a probe: `esper-audit probe` runs it"
        return f"unknown check '{check}'{did_you_mean(check, self.known)}"


def _configured_checks(config: Config) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the checks that a configuration names, each with the path of its key."""
    lists = {"select": config.select, "extend-select": config.extend_select}
    for key, checks in {**lists, "ignore": config.ignore}.items():
        yield from (((key, position), check) for position, check in enumerate(checks))
    for number, entry in enumerate(config.per_path):
        for key, checks in {"select": entry.select, "ignore": entry.ignore}.items():
            yield from ((("per-path", number, key), check) for check in checks)
        yield from ((("per-path", number, "severity", check), check) for check in entry.severity)
    yield from ((("allow", n, "check"), entry.check) for n, entry in enumerate(config.allow))
    yield from ((("rules", check), check) for check in config.rules)


def _settings(
    check: str, options: type[AnyOptions], tables: Mapping[str, Mapping[str, Any]], where: str
) -> tuple[AnyOptions, Severity | None]:
    """Return the options and the severity that the configuration gives a rule."""
    own, severity = split_rule_table(tables.get(check, {}))

    def locate(path: Sequence[str | int]) -> str:
        return f"{place_in_config(where, ('rules', check, *path))}: options of rule {check}"

    return convert_table(own, options, locate), severity
