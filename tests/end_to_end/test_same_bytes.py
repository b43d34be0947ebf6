"""The text of a run depends on the tree alone, not on start directory, workers, seeds, caches or prefilter."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, Ran, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

TREE = {
    "pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\n",
    "zeta.py": GOOD,
    "alpha.py": f"{GOOD}\n\ndef more(a, b):\n    return hasattr(a, 'x'), hasattr(b, 'y')\n",
    "pkg/beta.py": f"# esper-audit: allow-file unauthorised-hasattr -- here\n{GOOD}",
    "pkg/deep/gamma.py": CLEAN,
    "pkg/odd.py": "def f(:\n",
    "pkg/deep/odd.py": b"\xff\xfe",
}
STYLES = ("text", "json", "sarif", "github")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    more = {f"many/m{i:03}.py": GOOD for i in range(8)}
    return write(tmp_path / "tree", {**TREE, **more})


@pytest.fixture
def usual(tree: Path) -> Ran:
    ran = run(tree, "check", "--no-cache")
    assert (ran.status, len(ran.places), len(ran.not_looked_at)) == (3, 12, 2)
    return ran


@pytest.mark.parametrize(
    "arguments", [["--jobs", "1"], ["--jobs", "2"], ["--jobs", "4"], ["--no-prefilter"]]
)
def test_the_way_of_working_changes_no_byte(tree: Path, usual: Ran, arguments: list[str]) -> None:
    assert run(tree, "check", "--no-cache", *arguments) == usual


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_hash_seed_changes_no_byte(tree: Path, usual: Ran, seed: str) -> None:
    assert run(tree, "check", "--no-cache", env={"PYTHONHASHSEED": seed}) == usual


def test_the_start_directory_changes_no_byte(tree: Path, usual: Ran) -> None:
    assert run(tree / "pkg" / "deep", "check", "--no-cache", "../..") == usual
    assert run(tree / "pkg", "check", "--no-cache", str(tree)) == usual
    assert run(Path("/"), "check", "--no-cache", str(tree)) == usual


def test_the_order_and_overlap_of_paths_change_no_byte(tree: Path) -> None:
    once = run(tree, "check", "--no-cache", "pkg", "zeta.py")
    assert len(once.places) == 1
    assert run(tree, "check", "--no-cache", "zeta.py", "pkg/deep", "pkg", "zeta.py") == once


def test_the_cache_changes_no_byte(tree: Path, usual: Ran) -> None:
    assert [run(tree, "check") for _ in range(3)] == [usual] * 3


def test_a_cache_that_knows_some_files_changes_no_byte(tree: Path, usual: Ran) -> None:
    run(tree, "check", ".")
    for name in ("alpha.py", "many/m000.py"):
        write(tree, {name: (tree / name).read_text() + "\n"})
    afresh = run(tree, "check", ".", "--no-cache")
    assert afresh.places == usual.places
    assert run(tree, "check", ".") == afresh


@pytest.mark.parametrize("style", STYLES)
def test_a_clean_run_said_again_is_the_same_in_every_format(tmp_path: Path, style: str) -> None:
    write(tmp_path, {"a.py": GOOD})
    first = run(tmp_path, "check", "--format", style)
    assert first.status == 1
    assert run(tmp_path, "check", "--format", style) == first


def on_a_terminal(root: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run a check with a pseudo-terminal as its standard output; return what arrived there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "esper_audit", "check", *arguments],
        cwd=root,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", **(env or {})},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait(timeout=60) == 1
    return said.decode().replace("\r\n", "\n")


def test_no_terminal_gets_no_escape_codes(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    ran = run(tmp_path, "check", env={"TERM": "xterm-256color", "FORCE_COLOR": "1"})
    assert "\x1b" not in ran.out + ran.err


def test_a_terminal_gets_the_same_words_with_colours(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    plain = run(tmp_path, "check").out
    said = on_a_terminal(tmp_path)
    assert "\x1b[" in said
    assert without_escapes(said) == plain


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colours_gets_none(tmp_path: Path, env: dict[str, str]) -> None:
    write(tmp_path, {"a.py": GOOD})
    assert on_a_terminal(tmp_path, env=env) == run(tmp_path, "check", "--no-cache").out


def test_what_a_terminal_was_told_is_not_repeated_to_a_pipe(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    environment = {"TERM": "xterm-256color"}
    assert "\x1b[" in on_a_terminal(tmp_path, env=environment)
    assert "\x1b" not in run(tmp_path, "check", env=environment).out
    assert "\x1b[" in on_a_terminal(tmp_path, env=environment)


def test_a_reader_who_goes_away_is_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, {f"m{i}.py": GOOD * 40 for i in range(20)})
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "esper_audit", "check"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(timeout=60) != 0


def without_escapes(text: str) -> str:
    """Return text without `ESC [ ... m` sequences."""
    first, *rest = text.split("\x1b[")
    return first + "".join(piece.partition("m")[2] for piece in rest)
