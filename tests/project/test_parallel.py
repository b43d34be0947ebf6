"""Files spread over processes: every file once, in whatever order; a process that dies costs one file."""

from __future__ import annotations

import faulthandler
import os
import signal

import pytest

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.project.parallel import map_files

PATHS = [f"{number:02}.py" for number in range(17)]


def well(path: str) -> FileOutcome:
    return FileOutcome(path, used=[int(path[:2])])


def deadly(path: str) -> FileOutcome:
    if path in ("03.py", "04.py", "16.py"):
        faulthandler.disable()  # this death is meant, and needs no report
        os.kill(os.getpid(), signal.SIGSEGV)
    return well(path)


def leaving(path: str) -> FileOutcome:
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
    found = list(map_files(lambda path: FileOutcome(path, used=numbers), PATHS[:4], 2, FileOutcome))
    assert [len(outcome.used) for outcome in found] == [200_000] * 4
