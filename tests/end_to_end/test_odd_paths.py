"""Links, pipes, directories and unusual names in place of files; consoles with a narrow encoding."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, GOOD, TODAY, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow


def file_loop(root: Path) -> None:
    (root / "odd.py").symlink_to(root / "odd.py")


def dangling(root: Path) -> None:
    (root / "odd.py").symlink_to(root / "gone.py")


def directory_loop(root: Path) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "up").symlink_to(root)


def pipe(root: Path) -> None:
    os.mkfifo(root / "odd.py")


def enormous(root: Path) -> None:
    with (root / "odd.py").open("wb") as file:
        file.truncate(17 * 2**20)


def name_that_is_no_text(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/odd\xff.py")).write_text(GOOD)


PROBLEMS = {
    "a link to itself": (file_loop, "odd.py: dangling symbolic link"),
    "a link that dangles": (dangling, "odd.py: dangling symbolic link"),
    "a link to a directory above": (
        directory_loop,
        "pkg/up: symbolic link to a directory above it (not followed)",
    ),
    "a pipe": (pipe, "odd.py: not a regular file"),
    "an enormous file": (enormous, "odd.py: larger than 16 MiB"),
    "a name that is no text": (name_that_is_no_text, "odd\ufffd.py: file name is not UTF-8"),
}


@pytest.mark.parametrize(("make", "said"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_cannot_be_read_costs_one_clear_line(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    write(tmp_path, {"good.py": GOOD})
    make(tmp_path)
    ran = run(tmp_path, "check")
    assert (ran.status, ran.err) == (3, "")
    assert ran.places == ["good.py:2:8"]
    assert ran.not_looked_at == [said]


def test_links_that_are_no_python_are_nobodys_business(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": GOOD})
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    ran = run(tmp_path, "check")
    assert (ran.status, ran.err, ran.not_looked_at) == (1, "", [])


def test_a_directory_called_like_a_file_is_walked(tmp_path: Path) -> None:
    write(tmp_path, {"odd.py/good.py": GOOD})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.places) == (1, ["odd.py/good.py:2:8"])


def test_a_linked_directory_outside_is_followed_once(tmp_path: Path) -> None:
    write(
        tmp_path, {"outside/good.py": GOOD, "tree/clean.py": "", "tree/esper-audit.toml": ADOPTING}
    )
    (tmp_path / "tree" / "one").symlink_to(tmp_path / "outside")
    (tmp_path / "tree" / "two").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "back").symlink_to(tmp_path / "tree")
    ran = run(tmp_path / "tree", "check")
    assert (ran.status, ran.places) == (1, ["one/good.py:2:8"])


def test_a_thousand_directories_inside_each_other_are_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("a", dir_fd=here)
            below = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        write(tmp_path, {"b.py": "WIDTH: int\n"})
        ran = run(tmp_path, "check")
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", str(tmp_path / "a")], check=True)
    assert (ran.status, ran.err) == (0, "")


def test_an_unreadable_file_costs_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": GOOD, "odd.py": GOOD})
    (tmp_path / "odd.py").chmod(0)
    if os.access(tmp_path / "odd.py", os.R_OK):
        pytest.skip(
            "this user reads files of mode 0 (root does); a pipe and a dangling link stand in"
        )
    ran = run(tmp_path, "check")
    assert (ran.status, ran.not_looked_at) == (3, ["odd.py: cannot be read: Permission denied"])


def test_an_ascii_console_gets_escapes_and_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": GOOD.replace("segments", "ségments")})
    ran = run(tmp_path, "check", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (ran.status, ran.err) == (1, "")
    assert 'hasattr(host, "s\\xe9gments")' in ran.out


def test_control_characters_of_the_source_do_not_reach_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": f"# \x1b[31m \x07 \x9b1m\n{GOOD}"})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.places) == (1, ["good.py:3:8"])
    assert [c for c in ran.out if not c.isprintable() and c != "\n"] == []


def test_a_file_is_analysed_from_the_directory_below_it(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/deep/clean.py": "", "good.py": GOOD})
    ran = run(tmp_path / "pkg" / "deep", "check", "../../good.py")
    assert ran.status == 1, TODAY
    assert len(ran.places) == 1
