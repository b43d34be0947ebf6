"""Notebooks are counted as not looked at, in text and in JSON, and ignored ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, command, write


def test_notebooks_are_named_as_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a.py": CLEAN, "one.ipynb": "{}", "sub/two.ipynb": "{}", "gen/three.ipynb": "{}"}
    write(tmp_path, {**files, ".gitignore": "gen/\n"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    ran = command("check")
    assert ran.status == 0
    assert "No findings in 1 file, 2 notebooks not looked at; " in ran.out
    assert json.loads(command("check", "--format", "json").out)["notebooks"] == 2


def test_without_notebooks_there_is_no_word_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, {"a.py": CLEAN}))
    assert "notebook" not in command("check").out
