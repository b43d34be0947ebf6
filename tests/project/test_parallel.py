"""Files spread over processes: every file once, in whatever order; a process that dies costs one file."""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import subprocess
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.project.workers import limited_work
from esper_audit.project.workers.limited_work import (
    ProcessState,
    WorkLimits,
    process_state,
    set_status,
)
from esper_audit.project.workers.parallel import map_files, sensible_jobs
from esper_audit.project.workers.spawned_worker import NamedWork

PATHS = [f"{number:02}.py" for number in range(17)]


def well(path: str, without: Collection[str] = ()) -> FileOutcome:
    return FileOutcome(path, used=[int(path[:2])])


def deadly(path: str, without: Collection[str]) -> FileOutcome:
    if path in ("03.py", "04.py", "16.py"):
        faulthandler.disable()  # this death is meant, and needs no report
        os.kill(os.getpid(), signal.SIGSEGV)
    return well(path)


def leaving(path: str, without: Collection[str]) -> FileOutcome:
    if path == "05.py":
        os._exit(7)
    return well(path)


@pytest.mark.parametrize("jobs", [0, 1, 2, 3, 40])
def test_every_file_is_looked_at_once(jobs: int) -> None:
    found = sorted(map_files(well, PATHS, jobs, FileOutcome), key=lambda outcome: outcome.path)
    assert found == [well(path) for path in PATHS]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_no_files_are_no_work(jobs: int) -> None:
    assert list(map_files(well, [], jobs, FileOutcome)) == []


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_process_that_dies_costs_the_file_in_its_hands(jobs: int) -> None:
    found = {outcome.path: outcome for outcome in map_files(deadly, PATHS, jobs, FileOutcome)}
    assert sorted(found) == PATHS
    lost = {path: o.not_analysed[0].reason for path, o in found.items() if o.lost}
    assert lost == dict.fromkeys(
        ("03.py", "04.py", "16.py"), "the process looking at it was killed by SIGSEGV"
    )


def test_a_process_that_leaves_costs_the_file_in_its_hands() -> None:
    found = {outcome.path: outcome for outcome in map_files(leaving, PATHS, 2, FileOutcome)}
    assert sorted(found) == PATHS
    assert found["05.py"].not_analysed[0].reason == "the process looking at it ended without a word"


def test_one_file_gets_a_process_of_its_own_when_processes_are_asked_for() -> None:
    (outcome,) = map_files(deadly, ["03.py"], 2, FileOutcome)
    assert outcome.lost


def test_outcomes_larger_than_a_pipe_arrive_whole() -> None:
    numbers = list(range(200_000))
    found = list(
        map_files(lambda path, _: FileOutcome(path, used=numbers), PATHS[:4], 2, FileOutcome)
    )
    assert [len(outcome.used) for outcome in found] == [200_000] * 4


SHORT = WorkLimits(seconds=0.5, memory=300)


def slow(path: str, without: Collection[str]) -> FileOutcome:
    """Take for ever over two steps of one file, and over all of another."""
    for step in ("first", "second", "third"):
        if step in without:
            continue
        set_status(step)
        if path == "03.py" and step != "second":
            time.sleep(60)
    set_status("")
    if path == "05.py":
        time.sleep(60)
    return well(path)


def unhurried(path: str, without: Collection[str]) -> FileOutcome:
    """Take longer than the parent waits before it looks at the limits."""
    time.sleep(0.5)
    return well(path)


def greedy(path: str, without: Collection[str]) -> FileOutcome:
    set_status("hoards")
    if path == "04.py" and "hoards" not in without:
        hoard = bytearray(400 * 2**20)
        hoard[:: 2**12] = b"x" * len(hoard[:: 2**12])
        time.sleep(60)
    return well(path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_step_that_takes_too_long_is_named_and_the_file_done_without_it(jobs: int) -> None:
    found = {o.path: o for o in map_files(slow, PATHS[:7], jobs, FileOutcome, limits=SHORT)}
    assert sorted(found) == PATHS[:7]
    assert found["03.py"].used == [3]
    assert found["03.py"].lost
    assert [problem.sentence() for problem in found["03.py"].not_analysed] == [
        "03.py: first: the rule took longer than 0.5 s",
        "03.py: third: the rule took longer than 0.5 s",
    ]
    assert [problem.sentence() for problem in found["05.py"].not_analysed] == [
        "05.py: took longer than 0.5 s"
    ]
    assert [found[path] for path in ("04.py", "06.py")] == [well("04.py"), well("06.py")]


def patient(path: str, without: Collection[str]) -> FileOutcome:
    """Take twice the limit by the clock over one file, and for ever over another."""
    time.sleep({"03.py": 1.0, "05.py": 60.0}.get(path, 0.0))
    return well(path)


def test_a_file_that_waits_for_a_busy_processor_gets_more_time_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = ProcessState(is_busy=True, seconds=0.0)
    monkeypatch.setattr(limited_work, "process_state", lambda _pid: waiting)
    found = {o.path: o for o in map_files(patient, PATHS[:7], 1, FileOutcome, limits=SHORT)}
    assert found["03.py"] == well("03.py")
    assert [problem.sentence() for problem in found["05.py"].not_analysed] == [
        "05.py: took longer than 0.5 s"
    ]


def test_a_process_that_works_is_busy_and_one_that_sleeps_is_not() -> None:
    own = process_state(os.getpid())
    if own is None:
        pytest.skip("no /proc here")
    assert own.is_busy
    assert own.seconds > 0
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        time.sleep(0.2)
        state = process_state(sleeping.pid)
        sleeping.kill()
    assert state is not None
    assert not state.is_busy


def test_a_step_that_takes_too_much_memory_is_named_and_the_file_done_without_it() -> None:
    limits = WorkLimits(seconds=300, memory=300)
    found = {o.path: o for o in map_files(greedy, PATHS[:7], 1, FileOutcome, limits=limits)}
    assert [problem.sentence() for problem in found["04.py"].not_analysed] == [
        "04.py: hoards: the rule took more than 300 MiB of memory"
    ]
    assert [found[path].used for path in PATHS[:7]] == [[number] for number in range(7)]


def test_mapped_files_of_this_process_do_not_hide_what_a_file_takes(tmp_path: Path) -> None:
    file = tmp_path / "mapped"
    with file.open("wb") as stream:
        stream.truncate(400 * 2**20)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as held:
        assert not any(held[:: 2**12])
        limits = WorkLimits(seconds=300, memory=300)
        (found,) = map_files(greedy, ["04.py"], 1, FileOutcome, limits=limits)
    assert [problem.check for problem in found.not_analysed] == ["hoards"]


def test_the_memory_of_this_process_does_not_count_against_a_file() -> None:
    held = bytearray(400 * 2**20)
    held[:: 2**12] = b"x" * len(held[:: 2**12])
    limits = WorkLimits(seconds=30, memory=300)
    found = list(map_files(unhurried, PATHS[:2], 1, FileOutcome, limits=limits))
    assert found == [well(path) for path in PATHS[:2]]


@pytest.fixture
def _no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")


@pytest.mark.usefixtures("_no_fork")
def test_without_fork_work_without_a_name_is_done_in_this_process() -> None:
    here: list[int] = []

    def noting(path: str, without: Collection[str]) -> FileOutcome:
        here.append(os.getpid())
        return well(path, without)

    found = list(map_files(noting, PATHS, 3, FileOutcome, limits=SHORT))
    assert found == [well(path) for path in PATHS]
    assert set(here) == {os.getpid()}


def in_interpreters(
    name: str, paths: list[str], jobs: int, limits: WorkLimits
) -> list[FileOutcome]:
    """Return the results of the work of this name, which new interpreters do."""

    def refused(path: str, without: Collection[str]) -> FileOutcome:
        raise AssertionError("the work is done in this process")

    named = NamedWork("support.file_work:work_of", name.encode())
    found = map_files(refused, paths, jobs, FileOutcome, limits=limits, named=named)
    return sorted(found, key=lambda outcome: outcome.path)


@pytest.mark.usefixtures("_no_fork")
@pytest.mark.parametrize("jobs", [1, 3])
def test_without_fork_new_interpreters_do_every_file_once(jobs: int) -> None:
    limits = WorkLimits(seconds=30)
    assert in_interpreters("well", PATHS, jobs, limits) == [well(path) for path in PATHS]


@pytest.mark.usefixtures("_no_fork")
def test_without_fork_a_process_that_dies_or_leaves_costs_its_file() -> None:
    found = in_interpreters("ending", PATHS[:6], 2, WorkLimits(seconds=30))
    lost = {outcome.path: outcome.not_analysed[0].reason for outcome in found if outcome.lost}
    assert [outcome.path for outcome in found] == PATHS[:6]
    assert lost == {
        "03.py": "the process looking at it was killed by SIGSEGV",
        "05.py": "the process looking at it ended without a word",
    }


@pytest.mark.usefixtures("_no_fork")
def test_without_fork_a_step_over_its_limit_is_named_and_the_file_done_without_it() -> None:
    found = in_interpreters("endless", PATHS[:5], 1, WorkLimits(seconds=4))
    assert [outcome.used for outcome in found] == [[0], [1], [2], [3], [4]]
    assert [problem.sentence() for problem in found[3].not_analysed] == [
        "03.py: endless: the rule took longer than 4 s"
    ]


@pytest.mark.usefixtures("_no_fork")
def test_without_fork_and_proc_a_step_that_takes_too_much_memory_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limited_work, "PAGES_FILE", str(tmp_path / "{pid}"))
    found = in_interpreters("greedy", ["04.py"], 1, WorkLimits(seconds=60, memory=300))
    assert [problem.sentence() for problem in found[0].not_analysed] == [
        "04.py: greedy: the rule took more than 300 MiB of memory"
    ]
    assert found[0].used == [4]


def test_the_memory_of_a_process_is_reported_by_proc_by_ps_or_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert limited_work.own_memory(os.getpid()) > 2**20
    monkeypatch.setattr(limited_work, "PAGES_FILE", str(tmp_path / "{pid}"))
    assert limited_work.own_memory(os.getpid()) > 2**20
    assert limited_work.is_memory_reported()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert limited_work.own_memory(os.getpid()) == 0
    assert not limited_work.is_memory_reported()


@pytest.mark.parametrize(
    ("cores", "files", "jobs"),
    [(2, 0, 1), (2, 19, 1), (2, 20, 2), (2, 900, 2), (16, 50, 5), (16, 900, 16), (None, 900, 1)],
)
def test_a_process_has_ten_files_at_least(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, files: int, jobs: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert sensible_jobs(files) == jobs
