"""A recorded `check` is not replayed after a change of any part of the package, the command line included."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, GOOD, Ran, run, write

from esper_audit.project.submodules import PACKAGE

EDITED = "edited\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a copy of this package."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "code" / "esper_audit", ignore=ignored))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with one finding."""
    return write(tmp_path / "tree", {"esper-audit.toml": ADOPTING, "a.py": GOOD})


def check(tree: Path, package: Path) -> Ran:
    return run(tree, "check", env={"PYTHONPATH": str(package.parent)})


def records(cache_directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in cache_directory.glob("*.replay")}


@pytest.mark.parametrize("edited", ["cli/checking.py", "cli/__init__.py", "engine/pipeline.py"])
def test_a_check_runs_again_after_an_edit(
    tree: Path, package: Path, cache_directory: Path, edited: str
) -> None:
    first = check(tree, package)
    assert (first.status, first.err) == (1, "")
    recorded = records(cache_directory)
    assert len(recorded) == 1
    assert check(tree, package) == first
    assert records(cache_directory) == recorded
    with (package / edited).open("a") as file:
        file.write(f"\nimport sys\nsys.stdout.write({EDITED!r})\n")
    again = check(tree, package)
    assert (again.status, again.out) == (first.status, EDITED + first.out)
    assert records(cache_directory) != recorded


@pytest.mark.parametrize("edited", ["findings/contracts.yaml", "reports/templates/ticket.md"])
def test_a_check_runs_again_after_an_edit_of_its_data(
    tree: Path, package: Path, cache_directory: Path, edited: str
) -> None:
    first = check(tree, package)
    recorded = records(cache_directory)
    with (package / edited).open("a") as file:
        file.write("\n")
    assert check(tree, package) == first
    assert records(cache_directory) != recorded
