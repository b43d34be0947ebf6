"""The pytest door: `pytest --esper-audit` adds an item for every check that is on, failing with its findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from esper_audit.audit import Audit

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
        collector = Contracts.from_parent(session, name="esper-audit", path=config.rootpath)
        items.extend(item for item in collector.collect() if isinstance(item, pytest.Item))


def audit_of(config: pytest.Config) -> Audit:
    """Run the checks once a session and keep what they said."""
    from esper_audit.config import find_project
    from esper_audit.pipeline import Request, check

    if AUDIT not in config.stash:
        project = find_project([str(config.rootpath)])
        today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever reads the ticket
        config.stash[AUDIT] = check(project, Request(today=today))
    return config.stash[AUDIT]


class Contracts(pytest.Collector):
    """The audit of a project."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item a check that is on, and one that nothing was left out."""
        from esper_audit.config import find_project
        from esper_audit.selection import Selection

        selection = Selection(find_project([str(self.config.rootpath)]))
        for check in sorted(selection.base):
            yield CheckItem.from_parent(self, name=check)
        yield EverythingLookedAt.from_parent(self, name="everything-looked-at")


class ContractBroken(Exception):
    """Carries findings from an item to its report."""


class AuditItem(pytest.Item):
    """An item that fails with sentences, not with a traceback."""

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Return the findings, or the error that kept the audit from running."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return what the item is called in reports."""
        return self.path, None, f"esper-audit: {self.name}"


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
