"""The entry point of the plugin: `pytest --esper-audit` adds an item for each check and each unit.

A test module can also check promises in its own process:

    from esper_audit.subject import PromisedUnit, promises

    @promises("tests/my_subjects.py:subjects")
    def test_a_promise_is_kept(promised: PromisedUnit) -> None:
        promised.check()

or watch the training loop of a test, which fails if the loop breaks a contract:

    def test_training(watched_training):
        train(epochs=1)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from esper_audit.pytest_plugin.item import DESELECTED, AuditItem, ContractBroken, is_requested

if TYPE_CHECKING:
    from esper_audit.findings.audit import Audit
    from esper_audit.watch.in_process import WatchedTraining

MARKER = "esper_audit"
AUDIT = pytest.StashKey["Audit"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--esper-audit`."""
    group = parser.getgroup("esper-audit")
    group.addoption(
        "--esper-audit",
        action="store_true",
        help="add an item for each check of [tool.esper-audit]",
    )
    group.addoption(
        "--esper-audit-only",
        choices=("rules", "promises"),
        help="add these items alone; those of rules import no torch",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the items of the audit."""
    config.addinivalue_line(
        "markers", f"{MARKER}: an item of the audit, of a check or of a promise"
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Append the items of the audit, so that `-k`, `--lf` and `-n` apply to them.

    Where the command line names the configuration file or an item of it, pytest has collected them.
    """
    if not config.getoption("--esper-audit") or any(isinstance(i, AuditItem) for i in items):
        return
    collector = AuditFile.from_parent(session, path=_configuration(config))
    if not is_requested(config, collector.nodeid):
        items.extend(item for item in collector.collect() if isinstance(item, pytest.Item))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the items of the audit where pytest meets the configuration file, such as in an item's id."""
    if parent.config.getoption("--esper-audit") and file_path == _configuration(parent.config):
        return AuditFile.from_parent(parent, path=file_path)
    return None


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Record the items that `-k` and similar options deselected, which the guard does not miss."""
    for item in items:
        item.config.stash.setdefault(DESELECTED, set()).add(item.name)


@pytest.fixture
def watched_training(pytestconfig: pytest.Config) -> Iterator[WatchedTraining]:
    """Watch the training loops of a test, and fail it if one breaks a contract of the loop."""
    from esper_audit.watch.in_process import watching

    with watching(f"{pytestconfig.rootpath}") as watched:
        yield watched
    if watched.report():
        pytest.fail(f"the training loop breaks contracts:\n{watched.report()}", pytrace=False)


def promises(source: str, probes: Sequence[str] | None = None) -> pytest.MarkDecorator:
    """Return a mark that runs a test function with the argument `promised` for each unit of a subjects file.

    `source` is `path/to/file.py:function`, `probes` restricts the units to some probes. Raises
    SubjectError if the file has no subjects or an invalid promise.
    """
    from esper_audit.pytest_plugin.promises import promised_units

    params = [pytest.param(one, id=one.unit.id) for one in promised_units(source, probes)]
    return pytest.mark.parametrize("promised", params)


def session_audit(config: pytest.Config) -> Audit:
    """Return the audit of the project, made once for each session."""
    from esper_audit.engine.pipeline import CheckRequest, check
    from esper_audit.project.config import find_project

    if AUDIT not in config.stash:
        project = find_project([str(config.rootpath)])
        today = date.today().isoformat()  # noqa: DTZ011  # expiry is by the local date of the user
        config.stash[AUDIT] = check(project, CheckRequest(today=today))
    return config.stash[AUDIT]


def _configuration(config: pytest.Config) -> Path:
    """Return the configuration file, whose path begins the ids of the items, else the root folder."""
    from esper_audit.project.config import find_project

    return Path(find_project([str(config.rootpath)]).file or config.rootpath)


class AuditFile(pytest.File):
    """Collects the checks and the promises of a project, as items of its configuration file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each check that is on, one for each promise, and the guards."""
        for item in self._items(self.config.getoption("--esper-audit-only")):
            item.add_marker(MARKER)
            yield item

    def _items(self, only: str | None) -> Iterator[pytest.Item]:
        if only != "promises":
            yield from self._checks()
        if only != "rules":
            from esper_audit.pytest_plugin.promises import promise_items

            yield from promise_items(self)

    def _checks(self) -> Iterator[pytest.Item]:
        from esper_audit.project.config import find_project
        from esper_audit.rules.registry import RuleRegistry
        from esper_audit.rules.selection import Selection

        project = find_project([str(self.config.rootpath)])
        registry = RuleRegistry(project.local_rules)
        selection = Selection(registry, project.config, where=project.file, root=project.root)
        for check in sorted(selection.base):
            yield CheckItem.from_parent(self, name=check)
        yield AnalysisGuard.from_parent(self, name="everything-looked-at")


class CheckItem(AuditItem):
    """One check over the whole project."""

    def runtest(self) -> None:
        """Raise if the check has a finding that is neither ticketed nor authorised."""
        found = [f for f in session_audit(self.config).findings if f.check == self.name]
        if found:
            lines = [f"{f.location.path}:{f.location.line}: {f.message}" for f in found]
            raise ContractBroken("\n".join([*lines, f"Explain with: esper-audit rule {self.name}"]))


class AnalysisGuard(AuditItem):
    """The guard that fails if a file or check was not looked at, which differs from clean."""

    def runtest(self) -> None:
        """Raise if a file or check was not looked at."""
        problems = session_audit(self.config).not_analysed
        if problems:
            raise ContractBroken("\n".join(f"not looked at: {p.sentence()}" for p in problems))
