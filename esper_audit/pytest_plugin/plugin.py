"""The pytest door: `pytest --esper-audit` adds an item a check, and an item a contract, subject and state.

For a test module of one's own, in one's own process:

    from esper_audit.subject import Promised, promises

    @promises("tests/my_subjects.py:subjects")
    def test_a_promise_is_kept(promised: Promised) -> None:
        promised.check()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import pytest

from esper_audit.pytest_plugin.item import DESELECTED, AuditItem, ContractBroken

if TYPE_CHECKING:
    from esper_audit.findings.audit import Audit

AUDIT = pytest.StashKey["Audit"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--esper-audit`."""
    group = parser.getgroup("esper-audit")
    group.addoption(
        "--esper-audit",
        action="store_true",
        help="check the project's contracts: one item a check, over the paths of [tool.esper-audit]",
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Append the items of the audit, so that `-k`, `--lf` and `-n` see them as any other."""
    if config.getoption("--esper-audit"):
        from esper_audit.pytest_plugin.promises import Promises

        for kind in (Contracts, Promises):
            collector = kind.from_parent(session, name="esper-audit", path=config.rootpath)
            items.extend(item for item in collector.collect() if isinstance(item, pytest.Item))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what `-k` and its like left out: that was asked for, and is not lost."""
    for item in items:
        item.config.stash.setdefault(DESELECTED, set()).add(item.name)


def promises(source: str, probes: Sequence[str] | None = None) -> pytest.MarkDecorator:
    """Return the mark that gives a test function a `promised` for every unit of a subjects file."""
    from esper_audit.pytest_plugin.promises import promised_by

    params = [pytest.param(one, id=one.unit.id) for one in promised_by(source, probes)]
    return pytest.mark.parametrize("promised", params)


def audit_of(config: pytest.Config) -> Audit:
    """Run the checks once a session and keep what they said."""
    from esper_audit.engine.pipeline import CheckRequest, check
    from esper_audit.project.config import find_project

    if AUDIT not in config.stash:
        project = find_project([str(config.rootpath)])
        today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever reads the ticket
        config.stash[AUDIT] = check(project, CheckRequest(today=today))
    return config.stash[AUDIT]


class Contracts(pytest.Collector):
    """The audit of a project."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item a check that is on, and one that nothing was left out."""
        from esper_audit.project.config import find_project
        from esper_audit.rules.registry import RuleRegistry
        from esper_audit.rules.selection import Selection

        project = find_project([str(self.config.rootpath)])
        registry = RuleRegistry(project.local_rules)
        selection = Selection(registry, project.config, where=project.file)
        for check in sorted(selection.base):
            yield CheckItem.from_parent(self, name=check)
        yield EverythingLookedAt.from_parent(self, name="everything-looked-at")


class CheckItem(AuditItem):
    """One check over the whole project."""

    def runtest(self) -> None:
        """Raise if the check found anything that has no ticket and nobody authorised."""
        found = [f for f in audit_of(self.config).findings if f.check == self.name]
        if found:
            lines = [f"{f.location.path}:{f.location.line}: {f.message}" for f in found]
            raise ContractBroken("\n".join([*lines, f"explained by: esper-audit rule {self.name}"]))


class EverythingLookedAt(AuditItem):
    """The guard: a file or check that was not looked at does not count as clean."""

    def runtest(self) -> None:
        """Raise if anything was not analysed."""
        missed = audit_of(self.config).not_analysed
        if missed:
            raise ContractBroken("\n".join(f"not looked at: {n.sentence()}" for n in missed))
