"""A full disk, a read-only folder or a file in a folder's place costs one line and exit status 2 or 3."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, GOOD, Ran, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

ANOTHER = GOOD.replace("segments", "stages").replace("cut", "slice")
DOCUMENT = """# Ticket: DRL-7

| Field | Value |
| --- | --- |
| **Ticket ID** | `DRL-7` |
| **Severity** | P2 |
| **Status** | open |

## Summary

The gate is never read.
"""
WRITERS = {
    "run": ("run",),
    "sync": ("ticket", "sync"),
    "report": ("report",),
    "resolve": ("ticket", "resolve", "EA", "--kind", "wont-fix", "--evidence", "by design"),
    "review": ("ticket", "review", "EA", "--reviewer", "jo", "--verdict", "endorse"),
    "import": ("ticket", "import", "DRL-7.md"),
}
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
FULL_DISK = """
mount -t tmpfs -o size=64k none "$1" && cp -r . "$1" && cd "$1" || exit 77
shift
dd if=/dev/zero of=filler bs=1k count=64 2>/dev/null
exec "$@"
"""


def project(root: Path) -> Path:
    """Return a project with one ticket and one finding that has none."""
    write(root, {"esper-audit.toml": ADOPTING, "model.py": GOOD, "DRL-7.md": DOCUMENT})
    assert run(root, "ticket", "sync").status == 1
    return write(root, {"other.py": ANOTHER})


def ended(command: Sequence[str], root: Path) -> Ran:
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def assert_one_line(ran: Ran, reason: str) -> None:
    assert "Traceback" not in ran.out + ran.err
    assert ran.status in (2, 3)
    lines = re.sub(r"\n +", " ", ran.out + ran.err).splitlines()  # wrapped lines joined
    said = [line for line in lines if reason in line]
    assert len(said) == 1, ran
    assert ": cannot be " in said[0]


@pytest.mark.parametrize("arguments", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    root, disk = project(tmp_path / "project"), tmp_path / "disk"
    disk.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("this machine has no unshare")
    program = [sys.executable, "-m", "esper_audit", *arguments]
    ran = ended(["unshare", "-m", "sh", "-c", FULL_DISK, "sh", str(disk), *program], root)
    if ran.status == 77 or "unshare" in ran.err:
        pytest.skip(f"this user cannot mount a file system: {ran.err}")
    assert_one_line(ran, "No space left on device")


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every user may read; that of pytest is closed again by each run of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@pytest.mark.parametrize("arguments", WRITERS.values(), ids=WRITERS)
def test_a_read_only_folder_is_one_line(public_directory: Path, arguments: tuple[str, ...]) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become the user who may not write")
    root = project(public_directory / "project")
    program = [*NOBODY, sys.executable, "-m", "esper_audit"]
    if shutil.which("setpriv") is None or ended([*program, "--version"], root).status:
        pytest.skip("this Python cannot be started by a user who is not root")
    ran = ended([*program, *arguments], root)
    assert_one_line(ran, "Permission denied")


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, {"esper-audit.toml": ADOPTING, "model.py": GOOD})
    for _ in range(2):  # the second time the output is replayed
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "esper_audit", "check"],
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        line = "esper-audit: the output cannot be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (2, line)


PLACES = {
    "a file": "model.py",
    "a folder below a file": "model.py/below",
    "a folder that the system refuses": "/proc/none",
    "a name that is too long": "n" * 300,
    "a name with a NUL": "a\\u0000b",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("key", ["tickets", "reports"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, key: str, place: str) -> None:
    write(tmp_path, {"esper-audit.toml": f'{ADOPTING}{key} = "{place}"\n', "model.py": GOOD})
    for arguments in (("run",), ("report",), ("ticket", "sync"), ("ticket", "list"), ("check",)):
        ran = run(tmp_path, *arguments)
        assert "Traceback" not in ran.out + ran.err, arguments
        assert (tmp_path / "model.py").read_text() == GOOD
        if arguments == ("run",):
            assert ran.status == 2
        assert len(ran.err.splitlines()) == (ran.status == 2)


def test_a_run_without_a_place_for_reports_still_updates_and_prints(tmp_path: Path) -> None:
    write(tmp_path, {"esper-audit.toml": f'{ADOPTING}reports = "model.py"\n', "model.py": GOOD})
    ran = run(tmp_path, "run")
    assert ran.status == 2
    assert "1 ticket, 1 active: 1 opened" in ran.out
    assert len(list((tmp_path / "tickets").iterdir())) == 1


def test_one_page_that_cannot_be_written_does_not_cost_the_others(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "reports" / "audit.md").mkdir(parents=True)
    ran = run(root, "run")
    assert (ran.status, len(ran.err.splitlines())) == (2, 1)
    assert "reports/audit.md: cannot be written: " in ran.err
    assert (root / "reports" / "tickets" / "index.md").exists()
