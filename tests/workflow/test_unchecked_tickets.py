"""A run names the active tickets whose file or check it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import HASATTR, command, write

STRICT = "profile = 'strict'\n"


def said(tmp_path: Path, configuration: str) -> str:
    """Return what a second run prints after the configuration changed."""
    files = {"esper-audit.toml": STRICT, "a.py": "hasattr(x, 'y')\n", "more/b.py": ""}
    write(tmp_path, files)
    assert command("ticket", "sync").status == 1
    write(tmp_path, {"esper-audit.toml": STRICT + configuration})
    return " ".join(command("ticket", "sync").out.split())


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        ("exclude = ['a.py']\n", "leaves a.py out"),
        ("paths = ['more']\n", "leaves a.py out"),
        (f"ignore = ['{HASATTR}']\n", f"turns {HASATTR} off for a.py"),
    ],
)
def test_an_active_ticket_that_is_not_checked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = said(tmp_path, configuration)
    assert "1 ticket, 1 active" in out
    assert f"stays open: the configuration {sentence}" in out


def test_a_ticket_that_is_checked_or_resolved_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "not checked" not in said(tmp_path, "")
    write(tmp_path, {"a.py": ""})
    assert "1 fixed" in command("ticket", "sync").out
    write(tmp_path, {"esper-audit.toml": STRICT + "exclude = ['a.py']\n"})
    assert "not checked" not in command("ticket", "sync").out
