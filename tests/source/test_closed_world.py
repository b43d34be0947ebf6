"""In an application `__all__`, documentation and public names are no callers; packaging and strings still are."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import audit, write

FILES = {
    "pkg/__init__.py": 'from pkg.tools import Option, exported\n\n__all__ = ["Option", "exported"]\n',
    "pkg/tools.py": (
        "class Option:\n    level: int\n\n\n"
        "def exported():\n    return 1\n\n\n"
        "def documented():\n    return 2\n\n\n"
        "def named():\n    return 3\n\n\n"
        "def started():\n    return 4\n\n\n"
        "def used():\n    return 5\n"
    ),
    "pkg/other.py": 'from pkg.tools import used\n\nTABLE = {"named": used()}\nprint(TABLE)\n',
    "docs/guide.md": "Call `documented` to get a two.\n",
}
DEAD = {"Option", "exported", "documented"}


def dead(root: Path, configuration: str) -> set[str]:
    """Return the names that the dead-code rules report."""
    table = f'[project]\nscripts = {{ go = "pkg.tools:started" }}\n\n[tool.esper-audit]\n{configuration}'
    write(root, {"pyproject.toml": table, **FILES})
    found = audit(root, select=["unwired-function", "unused-type"]).findings
    return {finding.location.symbol for finding in found}


@pytest.mark.parametrize("configuration", ["", 'library = ["pkg"]\n', 'library = ["pkg.tools"]\n'])
def test_what_a_library_exports_or_documents_has_callers(
    tmp_path: Path, configuration: str
) -> None:
    assert dead(tmp_path, configuration) == set()


@pytest.mark.parametrize("configuration", ["application = true\n", 'library = ["other"]\n'])
def test_what_an_application_exports_or_documents_has_none(
    tmp_path: Path, configuration: str
) -> None:
    assert dead(tmp_path, configuration) == DEAD


def test_an_application_can_hold_a_library(tmp_path: Path) -> None:
    assert dead(tmp_path, 'application = true\nlibrary = ["pkg"]\n') == set()
