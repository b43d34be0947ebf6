"""Which checks run on which file: the rules found, their options, and what was selected or ignored where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from esper_audit.config import PerPath, Project, rule_settings, strict
from esper_audit.errors import ConfigError, UsageError
from esper_audit.probe_sheets import probe_sheets
from esper_audit.rule import Check, Rule
from esper_audit.shelf import discover
from esper_audit.suggestion import did_you_mean
from esper_audit.suppressing import SUPPRESSION_CHECKS

ALL = "all"


class Selection:
    """The rules of a project with their options, and the checks that are on for each path."""

    def __init__(
        self, project: Project, *, select: Sequence[str] = (), ignore: Sequence[str] = ()
    ) -> None:
        config = project.config
        self.where = project.file or "configuration"
        self.rules = known_rules(project)
        self.checks: dict[str, type[Check]] = {**self.rules, **SUPPRESSION_CHECKS}
        self._per_path = [(entry, _pattern(entry)) for entry in config.per_path]
        self._require_known(config.select, config.ignore, ConfigError)
        self._require_known(select, ignore, UsageError)
        for entry in config.per_path:
            self._require_known(entry.select, entry.ignore, ConfigError)
        self._require_known([entry.check for entry in config.allow], config.rules, ConfigError)
        on = self._expanded(select or config.select) or self._defaults
        self.base = frozenset(on - self._expanded(config.ignore) - self._expanded(ignore))
        self._ignored_by_hand = self._expanded(ignore)
        self._selected_by_hand = bool(select)
        self._instances = {
            check: _instance(self.rules[check], config.rules.get(check, {}), self.where)
            for check in self.rules
        }

    def checks_for(self, path: str) -> frozenset[str]:
        """Return the ids of the checks that are on for a file (path relative to the root)."""
        on = set(self.base)
        for entry, pattern in self._per_path:
            if pattern.match_file(path):
                if not self._selected_by_hand:
                    on |= self._expanded(entry.select) - self._ignored_by_hand
                on -= self._expanded(entry.ignore)
        return frozenset(on)

    def instances(self, checks: Iterable[str]) -> list[Rule]:
        """Return the rules among the checks, with their options."""
        return [self._instances[check] for check in sorted(checks) if check in self._instances]

    @cached_property
    def authorised_words(self) -> Mapping[str, str]:
        """The words of `# WORD AUTHORIZED by ...` comments, each with the check it speaks of."""
        return {word: check for check, rule in self.rules.items() for word in rule.authorised_words}

    @property
    def _defaults(self) -> set[str]:
        return {check for check, kind in self.checks.items() if kind.default}

    def _expanded(self, checks: Iterable[str]) -> set[str]:
        return set().union(*({*self.checks} if check == ALL else {check} for check in checks))

    def _require_known(
        self, select: Iterable[str], ignore: Iterable[str], error: type[ConfigError | UsageError]
    ) -> None:
        for check in (*select, *ignore):
            if check != ALL and check not in self.checks:
                where = f"{self.where}: " if error is ConfigError else ""
                if check in probe_sheets():
                    raise error(f"{where}{check} is a probe: `esper-audit probe` runs it")
                hint = did_you_mean(check, self.checks)
                raise error(f"{where}no check is called '{check}'{hint}")


def known_rules(project: Project) -> dict[str, type[Rule]]:
    """Return the rules of a project by id: shipped, from plugins, and its own."""
    return discover(project.resolve(path) for path in project.config.local_rules)


def known_checks(project: Project) -> dict[str, type[Check]]:
    """Return everything that `check` runs, by id."""
    return {**known_rules(project), **SUPPRESSION_CHECKS}


def _instance(rule: type[Rule], table: Mapping[str, Any], where: str) -> Rule:
    options, severity = rule_settings(table)
    converted = strict(options, rule.Options, f"{where}: options of rule {rule.id}")
    return rule(converted, severity)


def _pattern(entry: PerPath) -> Any:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines([entry.path])
