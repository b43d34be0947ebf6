"""`--fix` changes only what a fix describes, unsafe fixes need `--unsafe-fixes`, `--diff` writes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import command, run, write
from support.local_rules import with_rule

# Slow: every repair is applied, compared byte for byte and applied again.
pytestmark = pytest.mark.slow

BODY = """\
safe = file.code(node.args[0]) == "1"
code = file.code(node).replace("old", "new", 1)
yield Violation(node, "old is old", Replacement(node, code, safe, "call new"))
"""
FUNCTION_ONLY = (
    'yield Violation(node, "old is old", Replacement(node.func, {new!r}, True, "call new"))'
)
KEPT = {
    "LF": (b"x = old(1)\ny = '\xc3\xa9'\n", b"x = new(1)\ny = '\xc3\xa9'\n"),
    "CRLF": (b"x = old(1)\r\ny = 1\r\n", b"x = new(1)\r\ny = 1\r\n"),
    "CR": (b"x = 2\ry = old(1)\r", b"x = 2\ry = new(1)\r"),
    "mixed": (b"x = 1\r\ny = old(1)\nz = 2\r\n", b"x = 1\r\ny = new(1)\nz = 2\r\n"),
    "a byte order mark": (b"\xef\xbb\xbfold(1)\n", b"\xef\xbb\xbfnew(1)\n"),
    "latin-1": (b"# coding: latin-1\n'\xe9', old(1)\n", b"# coding: latin-1\n'\xe9', new(1)\n"),
    "no newline at the end": (b"old(1)", b"new(1)"),
    "spaces at the end": (b"old(1)   \n\n\n\n", b"new(1)   \n\n\n\n"),
    "form feeds": (b"x = 1\n\x0c\nold(1)\n", b"x = 1\n\x0c\nnew(1)\n"),
    "tabs": (b"if a:\n\told(1)\t# b\n", b"if a:\n\tnew(1)\t# b\n"),
    "one inside the other": (b"old(1, old(1), [old(1)])\n", b"new(1, new(1), [new(1)])\n"),
    "wide characters": ("x = '漢字', old(1)\n".encode(), "x = '漢字', new(1)\n".encode()),
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return with_rule(tmp_path, "old-call", BODY)


@pytest.mark.parametrize(("before", "after"), KEPT.values(), ids=KEPT)
def test_a_repair_changes_no_other_byte(project: Path, before: bytes, after: bytes) -> None:
    write(project, {"a.py": before})
    ran = command("check", "--fix")
    assert (project / "a.py").read_bytes() == after
    assert ran.status == 0
    assert ran.out.startswith("Fixed ")


@pytest.mark.parametrize("before", [before for before, _ in KEPT.values()], ids=KEPT)
def test_repairing_twice_is_repairing_once(project: Path, before: bytes) -> None:
    write(project, {"a.py": before})
    command("check", "--fix")
    once = (project / "a.py").read_bytes()
    assert command("check", "--fix").out.startswith("Fixed 0 findings in 0 files.")
    assert (project / "a.py").read_bytes() == once


def test_a_diff_changes_nothing_and_says_so_by_its_status(project: Path) -> None:
    write(project, {"a.py": "x = 1\nold(1)\n"})
    ran = command("check", "--diff")
    assert ran.status == 1
    assert ran.out == "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x = 1\n-old(1)\n+new(1)\n"
    assert (project / "a.py").read_text() == "x = 1\nold(1)\n"


def test_a_diff_of_nothing_is_empty_and_0(project: Path) -> None:
    write(project, {"a.py": "new(1)\n"})
    ran = command("check", "--diff")
    assert (ran.status, ran.out) == (0, "")


@pytest.mark.parametrize("name", [name for name in KEPT if name not in ("latin-1", "CR")])
def test_git_can_apply_a_diff_and_gets_what_fix_would_write(project: Path, name: str) -> None:
    before, after = KEPT[name]
    write(project, {"a.py": before})
    shown = run(project, "check", "--diff")
    patch = (project / "patch").resolve()
    patch.write_bytes(_bytes_of_diff(project))
    subprocess.run(["git", "apply", "--whitespace=nowarn", "patch"], cwd=project, check=True)
    assert shown.status == 1
    assert (project / "a.py").read_bytes() == after


def _bytes_of_diff(project: Path) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "esper_audit", "check", "--diff"],
        cwd=project,
        capture_output=True,
        check=False,
    )
    return done.stdout


def test_what_is_unsafe_waits_to_be_asked_for(project: Path) -> None:
    write(project, {"a.py": "old(2)\nold(1)\n"})
    assert command("check", "--fix").status == 1
    assert (project / "a.py").read_text() == "old(2)\nnew(1)\n"
    assert command("check", "--unsafe-fixes").status == 0
    assert (project / "a.py").read_text() == "new(2)\nnew(1)\n"


def test_a_diff_shows_unsafe_fixes_only_when_asked(project: Path) -> None:
    write(project, {"a.py": "old(2)\n"})
    assert command("check", "--diff").status == 0
    assert command("check", "--diff", "--unsafe-fixes").status == 1
    assert (project / "a.py").read_text() == "old(2)\n"


def test_what_is_authorised_is_not_repaired(project: Path) -> None:
    text = "old(1)  # esper-audit: allow old-call -- this one stays\n"
    write(project, {"a.py": text + "old(1)\n"})
    assert command("check", "--fix").status == 0
    assert (project / "a.py").read_text() == text + "new(1)\n"


@pytest.mark.parametrize("content", [b"old(1)\ndef f(:\n", b"old(1)\xff", b"old(1)\0"])
def test_a_file_that_does_not_parse_is_not_touched(project: Path, content: bytes) -> None:
    write(project, {"a.py": content, "b.py": "old(1)\n"})
    assert command("check", "--fix").status == 3
    assert (project / "a.py").read_bytes() == content
    assert (project / "b.py").read_text() == "new(1)\n"


@pytest.mark.parametrize("new", ["ne w", "new(", "é" * 3 + " 1", "", "ab\ncd ef"])
def test_a_repair_that_would_not_parse_is_not_made(project: Path, new: str) -> None:
    with_rule(project, "old-call", FUNCTION_ONLY.format(new=new))
    write(project, {"a.py": "x = old(1)\n"})
    ran = command("check", "--fix")
    text = (project / "a.py").read_text()
    assert text == "x = old(1)\n" or new == ""
    assert ran.out.startswith("Fixed ")


def test_a_repair_that_the_files_encoding_cannot_say_is_not_made(project: Path) -> None:
    with_rule(project, "old-call", FUNCTION_ONLY.format(new="漢"))
    write(project, {"a.py": b"# coding: latin-1\nold(1)\n"})
    ran = command("check", "--fix")
    assert ran.status == 1
    assert (project / "a.py").read_bytes() == b"# coding: latin-1\nold(1)\n"


def test_a_repair_that_goes_round_in_circles_ends(project: Path) -> None:
    with_rule(project, "old-call", FUNCTION_ONLY.format(new="x.old"))
    write(project, {"a.py": "old(1)\n"})
    assert command("check", "--fix").status == 1
    text = (project / "a.py").read_text()
    assert text.endswith("old(1)\n")
    assert text.count("x.") <= 10


def test_a_disk_that_is_full_is_a_sentence_and_leaves_the_file(project: Path) -> None:
    write(project, {"a.py": "old(1)\n"})
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3, 3)); "
    code = f"{full} import sys; sys.argv[1:] = ['check', '--fix']; from esper_audit.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"esper-audit: {project}/a.py: cannot be written: File too large\n"
    assert (project / "a.py").read_text() == "old(1)\n"


@pytest.mark.parametrize(("before", "after"), KEPT.values(), ids=KEPT)
def test_the_fixed_source_of_stdin_is_on_stdout(project: Path, before: bytes, after: bytes) -> None:
    done = run_bytes(project, before, "check", "--fix", "-", "--stdin-filename", "a.py")
    assert (done.returncode, done.stdout) == (0, after)
    assert done.stderr.startswith(b"No findings in 1 file")
    assert not (project / "a.py").exists()


def test_a_diff_of_stdin_is_1_and_names_the_file(project: Path) -> None:
    done = run_bytes(project, b"old(1)\n", "check", "--diff", "-", "--stdin-filename", "b/a.py")
    assert done.returncode == 1
    assert done.stdout == b"--- a/b/a.py\n+++ b/b/a.py\n@@ -1 +1 @@\n-old(1)\n+new(1)\n"


def test_a_source_that_does_not_parse_comes_back_as_it_is(project: Path) -> None:
    done = run_bytes(project, b"old(1\n", "check", "--fix", "-")
    assert (done.returncode, done.stdout) == (3, b"old(1\n")
    assert b"stdin.py:1" in done.stderr


def test_stdin_is_the_only_path(project: Path) -> None:
    ran = command("check", "-", "a.py")
    assert (ran.status, "'-' is the only path where it is given (got a.py too)" in ran.err) == (
        2,
        True,
    )


def test_an_excluded_file_on_stdin_is_not_checked(project: Path) -> None:
    configuration = project / "pyproject.toml"
    table = "[tool.esper-audit]\n"
    configuration.write_text(
        configuration.read_text().replace(table, f"{table}exclude = ['gen']\n")
    )
    done = run_bytes(project, b"old(1)\n", "check", "--fix", "-", "--stdin-filename", "gen/a.py")
    assert (done.returncode, done.stdout) == (0, b"old(1)\n")
    done = run_bytes(project, b"old(1)\n", "check", "-", "--stdin-filename", "gen/a.py")
    assert done.returncode == 0


def run_bytes(root: Path, source: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "esper_audit", *arguments],
        cwd=root,
        input=source,
        capture_output=True,
        timeout=60,
        check=False,
    )
