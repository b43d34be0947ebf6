"""A write leaves the old file or the new one, whatever happens; it keeps modes and follows links."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from esper_audit.findings.errors import ChangedMeanwhileError, WriteError
from esper_audit.project.atomic_write import (
    directory_lock,
    replace_file,
    write_file,
    write_if_changed,
)

SIZE = 200_000
FOREVER = """
import sys
from esper_audit.project.atomic_write import replace_file
while True:
    for letter in b"ab":
        replace_file(sys.argv[1], bytes([letter]) * {size})
        print(flush=True)
"""
FULL_DISK = """
import resource, signal, sys
from esper_audit.project.atomic_write import replace_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    replace_file(sys.argv[1], b"n" * 5000)
except OSError as error:
    print("refused")
"""
READ_ONLY = """
import os, sys
from esper_audit.project.atomic_write import replace_file
os.setgid(65534), os.setuid(65534)
try:
    replace_file(sys.argv[1], b"new")
except OSError as error:
    print("refused")
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_a_new_file_is_written_with_a_usual_mode(tmp_path: Path) -> None:
    replace_file(str(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
def test_the_mode_of_a_file_is_kept(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(mode)
    replace_file(str(tmp_path / "a"), b"new")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "a").stat().st_mode & 0o777) == (
        b"new",
        mode,
    )


def test_a_link_is_followed_to_its_target(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "target").write_text("old")
    (tmp_path / "link").symlink_to("far/target")
    replace_file(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "target").read_bytes() == b"new"


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    replace_file(str(tmp_path / "a"), b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_a_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(str(tmp_path / "gone" / "a"), b"new")


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    assert python(FULL_DISK, str(tmp_path / "a")) == "refused\n"
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_read_only_directory_leaves_the_old_file(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become the user who may not write")
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_mode & 0o005 != 0o005:
            directory.chmod(directory.stat().st_mode | 0o005)
    (tmp_path / "a").write_text("old")
    assert python(READ_ONLY, str(tmp_path / "a")) == "refused\n"
    assert (tmp_path / "a").read_text() == "old"


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a" * SIZE)
    seen = set()
    for round_ in range(15):
        process = subprocess.Popen(
            [sys.executable, "-c", FOREVER.format(size=SIZE), str(file)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(round_ * 0.0007)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        content = file.read_bytes()
        assert content in (b"a" * SIZE, b"b" * SIZE)
        seen.add(content[:1])
    assert seen
    replace_file(str(file), b"")
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_write_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    left = tmp_path / ".esper-audit-0123456789abcdef.tmp"
    others = [tmp_path / ".esper-audit-settings.tmp", tmp_path / ".a.settings"]
    for file in (left, *others):
        file.write_text("half")
    replace_file(str(tmp_path / "a"), b"new")
    assert not left.exists()
    assert [file.read_text() for file in others] == ["half", "half"]


def test_the_temporary_file_of_a_living_process_stays(tmp_path: Path) -> None:
    used = tmp_path / ".esper-audit-0123456789abcdef.tmp"
    with used.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        replace_file(str(tmp_path / "a"), b"new")
        assert used.exists()


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    replace_file(str(tmp_path / ("n" * 255)), b"new")
    assert os.listdir(tmp_path) == ["n" * 255]


@pytest.mark.parametrize("content", ["a user's", None], ids=["changed", "removed"])
def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "a"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ChangedMeanwhileError, match="changed the file meanwhile"):
        replace_file(str(file), b"new", expected=b"old")
    assert (file.read_text() if file.exists() else None) == content
    assert len(os.listdir(tmp_path)) == (content is not None)


def test_what_cannot_be_written_is_one_line_with_path_and_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, problem in {
        tmp_path / "file" / "a": f"{tmp_path / 'file'}: is not a directory",
        tmp_path
        / "file"
        / "b"
        / "a": f"{tmp_path / 'file' / 'b'}: cannot be created: Not a directory",
        Path("/proc/none/a"): "/proc/none: cannot be created: No such file or directory",
        tmp_path / ("n" * 300): f"{tmp_path / ('n' * 300)}: cannot be written: File name too long",
    }.items():
        with pytest.raises(WriteError, match=f"^{re.escape(problem)}$"):
            write_file(str(path), b"new")


def test_two_processes_writing_leave_a_file_of_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "a"
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_often, args=(str(file), letter)) for letter in (b"a", b"b")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert file.read_bytes() in (b"a" * SIZE, b"b" * SIZE)
    assert os.listdir(tmp_path) == ["a"]


def _write_often(path: str, letter: bytes) -> None:
    for _ in range(20):
        replace_file(path, letter * SIZE)
        with open(path, "rb") as file:
            assert file.read() in (b"a" * SIZE, b"b" * SIZE)


def test_a_text_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a"
    assert write_if_changed(str(file), "é\n") is True
    before = file.stat().st_ino
    assert write_if_changed(str(file), "é\n") is False
    assert file.stat().st_ino == before
    assert write_if_changed(str(file), "è\n") is True
    assert file.read_text(encoding="utf-8") == "è\n"


def test_two_that_lock_a_directory_take_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_count_up, args=(str(tmp_path),)) for _ in range(2)]
    (tmp_path / "count").write_text("0")
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert (tmp_path / "count").read_text() == "60"


def _count_up(directory: str) -> None:
    for _ in range(30):
        with directory_lock(directory):
            file = Path(directory, "count")
            file.write_text(str(int(file.read_text()) + 1))


def test_the_limits_of_this_process_are_as_they_were() -> None:
    check: Callable[[int], tuple[int, int]] = resource.getrlimit
    assert check(resource.RLIMIT_FSIZE)[0] != 1000
