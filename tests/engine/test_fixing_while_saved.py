"""A file that a user saves while its fixes are computed keeps what the user saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from esper_audit.engine.file_checker import FileChecker
from esper_audit.engine.fixes import FixMode
from esper_audit.findings.errors import ChangedMeanwhileError
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.project.config import Project, find_project
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression.suppressions import Suppressor

BEFORE = "def collect(rows, seen=[]):\n    seen.append(rows)\n    return seen\n"
AFTER = (
    "def collect(rows, seen=None):\n    if seen is None:\n        seen = []\n"
    "    seen.append(rows)\n    return seen\n"
)
SAVED = BEFORE + "# a line that the user adds\n"


class SavingChecker(FileChecker):
    """A checker during whose work a user saves the file."""

    saves: str = ""
    file: Path

    def check_file(self, path: str, *, data: bytes | None = None) -> FileOutcome:
        if self.saves:
            self.file.write_text(self.saves)
        return super().check_file(path, data=data)


def checker(root: Path, saves: str = "") -> SavingChecker:
    (root / "pyproject.toml").write_text("")
    (root / "a.py").write_text(BEFORE)
    project = Project(str(root), find_project([str(root)]).config)
    selection = Selection(
        RuleRegistry(), project.config, where="", select=["mutable-default-stored"]
    )
    suppressor = Suppressor((), today="2030-01-01", known=selection.known, authorised_words={})
    made = SavingChecker(str(root), selection, suppressor, today="2030-01-01", prefilter=True)
    made.file, made.saves = root / "a.py", saves
    return made


def test_a_file_that_stays_gets_its_fixes(tmp_path: Path) -> None:
    fixed = FixMode(unsafe=False, write=True).fix_file(str(tmp_path), checker(tmp_path), "a.py")
    assert fixed is not None
    assert fixed.count == 1
    assert (tmp_path / "a.py").read_text() == AFTER


def test_a_file_that_is_saved_meanwhile_keeps_what_was_saved(tmp_path: Path) -> None:
    mode = FixMode(unsafe=False, write=True)
    with pytest.raises(ChangedMeanwhileError, match=r"a\.py"):
        mode.fix_file(str(tmp_path), checker(tmp_path, SAVED), "a.py")
    assert (tmp_path / "a.py").read_text() == SAVED
