"""`check` replays its record for an unchanged tree, byte for byte, and runs again after any change."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, Ran, command, run, write
from support.local_rules import with_rule

from esper_audit.cli.replay import replay


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = with_rule(tmp_path / "above" / "tree", "old-call") if _made(tmp_path) else tmp_path
    write(root, {"pkg/a.py": GOOD, "pkg/b.py": CLEAN, "pkg/old.py": "old(1)\n"})
    monkeypatch.chdir(root)
    return root


def _made(tmp_path: Path) -> bool:
    (tmp_path / "above" / "tree").mkdir(parents=True)
    (tmp_path / "above" / ".git").mkdir()
    return True


def check(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Ran:
    """Run `check` in this process so that it leaves its record."""
    monkeypatch.setattr(sys, "argv", ["esper-audit", "check", *arguments])
    return command("check", *arguments)


def test_an_unchanged_tree_is_told_the_same_bytes_and_status(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = check(monkeypatch)
    assert first.status == 1
    assert replay(["check"]) == 1
    sys.stdout.flush()
    assert capfd.readouterr().out == first.out


def touch_and_edit(root: Path) -> None:
    (root / "pkg/b.py").write_text(GOOD)


def same_size_same_time(root: Path) -> None:
    file = root / "pkg/a.py"
    before = file.stat()
    file.write_text(GOOD.replace("host", "most"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def above(root: Path, name: str, text: str) -> None:
    (root.parent / name).write_text(text)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file": touch_and_edit,
    "a file of the same size and time": same_size_same_time,
    "a new file": lambda root: (root / "pkg/c.py").write_text(GOOD),
    "a new file that is no Python": lambda root: (root / "pkg/c.txt").write_text(""),
    "a file that is gone": lambda root: (root / "pkg/b.py").unlink(),
    "a file that is a directory now": lambda root: ((root / "pkg/b.py").unlink(), (root / "pkg/b.py").mkdir()),
    "a new ignore file": lambda root: (root / "pkg/.gitignore").write_text("a.py\n"),
    "another ignore file": lambda root: (root / ".gitignore").write_text("pkg/\nhouse/\n"),
    "a new ignore file above": lambda root: above(root, ".gitignore", "a.py\n"),
    "a new exclude file of git": lambda root: write(root.parent, {".git/info/exclude": "a.py\n"}),
    "another configuration": lambda root: (root / "pyproject.toml").write_text("[tool.esper-audit]\n"),
    "no configuration": lambda root: (root / "pyproject.toml").unlink(),
    "a configuration that goes before": lambda root: (root / "esper-audit.toml").write_text(
        f"ignore = ['{HASATTR}']\n"
    ),
    "a rule": lambda root: (root / "house/old_call.py").write_text(
        (root / "house/old_call.py").read_text().replace("is called", "was called")
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_makes_it_run_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    check(monkeypatch)
    assert replay(["check"]) == 1
    change(tree)
    assert replay(["check"]) is None


def test_a_new_configuration_nearer_to_what_is_asked_makes_it_run_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(monkeypatch, "pkg")
    assert replay(["check", "pkg"]) == 1
    write(tree, {"pkg/esper-audit.toml": f"ignore = ['{HASATTR}']\n"})
    assert replay(["check", "pkg"]) is None


def test_other_arguments_another_directory_or_environment_run_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(monkeypatch)
    assert replay(["check", "--format", "json"]) is None
    assert replay(["check", "pkg"]) is None
    monkeypatch.setenv("COLUMNS", "40")
    assert replay(["check"]) is None
    monkeypatch.delenv("COLUMNS")
    monkeypatch.chdir(tree / "pkg")
    assert replay(["check"]) is None


def test_the_next_day_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch)
    monkeypatch.setattr(time, "strftime", lambda _: "2999-12-31")
    assert replay(["check"]) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fix"],
        ["--diff"],
        ["--since=HEAD"],
        ["--no-cache"],
        ["--stdin-filename", "x.py"],
        ["pkg/a.py"],
    ],
)
def test_what_is_new_each_time_is_never_recorded(
    monkeypatch: pytest.MonkeyPatch, cache_directory: Path, arguments: list[str]
) -> None:
    check(monkeypatch, *arguments)
    assert list(cache_directory.glob("*.replay")) == []
    assert replay(["check", *arguments]) is None


def test_a_run_that_did_not_see_everything_is_not_recorded(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree, {"pkg/odd.py": "def f(:\n"})
    assert check(monkeypatch).status == 3
    assert replay(["check"]) is None


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\0garbage", b"esper-audit replay 2\n0\n\0\n", b"x\n\0\ny\n\0\nz"]
)
def test_a_damaged_record_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, cache_directory: Path, damage: bytes
) -> None:
    check(monkeypatch)
    (record,) = cache_directory.glob("*.replay")
    record.write_bytes(damage)
    assert replay(["check"]) is None


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_a_truncated_record_says_nothing_wrong(
    monkeypatch: pytest.MonkeyPatch, cache_directory: Path, kept: float
) -> None:
    check(monkeypatch)
    (record,) = cache_directory.glob("*.replay")
    whole = record.read_bytes()
    record.write_bytes(whole[: int(len(whole) * kept)])
    assert replay(["check"]) is None


def test_a_cache_that_cannot_be_written_is_no_error(tree: Path) -> None:
    (tree / "no-directory").write_text("")
    for _ in range(2):
        ran = run(tree, "check", env={"ESPER_AUDIT_CACHE": str(tree / "no-directory" / "cache")})
        assert (ran.status, ran.err) == (1, "")


def test_only_so_many_records_are_kept(
    monkeypatch: pytest.MonkeyPatch, cache_directory: Path
) -> None:
    cache_directory.mkdir(exist_ok=True)
    for number in range(45):
        (cache_directory / f"{number}.replay").write_text("")
    check(monkeypatch)
    assert len(list(cache_directory.glob("*.replay"))) == 40
    assert replay(["check"]) == 1
