"""Hostile jobs cost themselves and nothing else: each ends as it should, and the job after it does not notice."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field

import pytest
import support

from esper_audit.probes.sandbox.outcome import (
    GIBIBYTE,
    MEBIBYTE,
    Ending,
    Exited,
    ImportFailed,
    Job,
    JobOutcome,
    Killed,
    Limits,
    NotSerialisable,
    OutOfMemory,
    Raised,
    Returned,
    ServerDied,
    TimedOut,
)
from esper_audit.probes.sandbox.pool import TORCH, Sandbox
from esper_audit.probes.sandbox.process_tree import processes_using

HERE = os.path.dirname(support.__file__)
LIMITS = Limits(seconds=30.0, memory_bytes=GIBIBYTE, file_bytes=2 * MEBIBYTE, output_bytes=4096)
BRIEF = Limits(seconds=0.7, memory_bytes=GIBIBYTE)
TIGHT = Limits(seconds=30.0, memory_bytes=800 * MEBIBYTE)
GOOD = Returned({"double": 42, "elements": 6, "threads": 1})

pytestmark = [
    pytest.mark.slow,  # hostile jobs hang until their limit, fill memory and kill processes
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere jobs are spawned"),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is an extra"),
]


@dataclass(frozen=True)
class Case:
    """A hostile job, how it has to end, and words that its outcome or its output has to hold."""

    function: str
    kind: type[Ending]
    words: str
    arguments: dict[str, object] = field(default_factory=dict)
    limits: Limits | None = None

    @property
    def name(self) -> str:
        return " ".join([self.function, *map(str, self.arguments.values())])

    @property
    def job(self) -> Job:
        return Job(self.name, f"hostile_jobs:{self.function}", self.arguments, self.limits)


CASES = [
    Case("ok", Returned, "a good job speaks"),
    Case("raises", Raised, "raised ValueError: wrong on purpose ("),
    Case("raises_inside_torch", Raised, ", in raises_inside_torch)"),
    Case("raises_the_unspeakable", Raised, "message unavailable"),
    Case("sys_exit", Raised, "SystemExit: 0", {"status": 0}),
    Case("sys_exit", Raised, "SystemExit: 3", {"status": 3}),
    Case("os_exit", Exited, "status 0 and without a verdict", {"status": 0}),
    Case("os_exit", Exited, "status 3 and without a verdict", {"status": 3}),
    Case("segfault", Killed, "was killed by SIGSEGV"),
    Case("abort", Killed, "was killed by SIGABRT"),
    Case("kill_itself", Killed, "was killed by SIGKILL"),
    Case("python_loop", TimedOut, "after 0.7 s", limits=BRIEF),
    Case("c_loop", TimedOut, "after 0.7 s", limits=BRIEF),
    Case("sleep", TimedOut, "after 0.7 s", limits=BRIEF),
    Case("ignore_sigterm", TimedOut, "after 0.7 s", limits=BRIEF),
    Case("python_memory_bomb", OutOfMemory, "MemoryError"),
    Case("crumbs_of_memory", OutOfMemory, "MemoryError", limits=TIGHT),
    Case("torch_memory_bomb", OutOfMemory, "DefaultCPUAllocator"),
    Case("giant_allocation", OutOfMemory, "274877906944 bytes"),
    Case("out_of_memory_in_disguise", OutOfMemory, "could not build the module"),
    Case("recursion", Raised, "RecursionError"),
    Case("missing_module", Raised, "No module named 'nowhere_to_be_found'"),
    Case("nosuch", ImportFailed, "hostile_jobs has no function 'nosuch'"),
    Case("stdout_flood", Returned, "line 39999 of a flood"),
    Case("endless_flood", TimedOut, "after 0.7 s", limits=BRIEF),
    Case("orphans", Returned, ""),
    Case("background_thread", Returned, ""),
    Case("unserialisable", NotSerialisable, "_thread.lock"),
    Case("too_much", NotSerialisable, "got 68157474 bytes, expected at most 67108864"),
    Case("forged_verdict", Exited, "status 0 and without a verdict"),
    Case("scribbled_verdict", NotSerialisable, "something other than a verdict"),
    Case("closed_descriptors", Exited, "without a verdict"),
    Case("patch_torch", Returned, ""),
    Case("returns_twice", Returned, ""),
    Case("kill_parent", ServerDied, "ended the process"),
    Case("fill_the_disk", Raised, "File too large"),
]
OVERFLOW = Case("stack_overflow", Killed, "")  # SIGSEGV up to Python 3.11, RecursionError after
JOBS = [case.job for case in (*CASES, OVERFLOW)]
VOLATILE = ("orphans",)  # returns a process number


def good(number: int) -> Job:
    return Job(f"good {number}", "hostile_jobs:ok", {"number": 21})


def sandbox(workers: int = 1) -> Sandbox:
    return Sandbox(TORCH, search_path=[HERE], limits=LIMITS, workers=workers)


@dataclass(frozen=True)
class Trial:
    """What became of all hostile jobs, each followed by a good one, and of their processes."""

    outcomes: dict[str, JobOutcome]
    after: dict[str, JobOutcome]
    processes_before_close: list[int]
    processes_after_close: list[int]
    scratch: str
    left_in_scratch: list[str]


@pytest.fixture(scope="module")
def trial() -> Trial:
    jobs: list[Job] = []
    for number, job in enumerate(JOBS):
        jobs += [job, good(number)]
    with sandbox() as running:
        outcomes = list(running.run(jobs))
        before = processes_using(running.scratch)
        files = [name for _, _, names in os.walk(running.scratch) for name in names]
    assert [outcome.job for outcome in outcomes] == [job.name for job in jobs]
    return Trial(
        {outcome.job: outcome for outcome in outcomes[::2]},
        {outcome.job: after for outcome, after in zip(outcomes[::2], outcomes[1::2], strict=True)},
        before,
        processes_using(running.scratch),
        running.scratch,
        files,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_job_ends_as_what_it_is(trial: Trial, case: Case) -> None:
    outcome = trial.outcomes[case.name]
    assert isinstance(outcome.ending, case.kind), outcome
    assert case.words in f"{outcome}\n{outcome.output}"


def test_a_stack_overflow_costs_its_own_process_at_most(trial: Trial) -> None:
    ending = trial.outcomes[OVERFLOW.name].ending
    assert ending == Killed("SIGSEGV") or (
        isinstance(ending, Raised) and ending.type == "RecursionError"
    )


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_job_after_a_hostile_one_is_unaffected(trial: Trial, job: Job) -> None:
    after = trial.after[job.name]
    assert after.ending == GOOD, after
    assert after.output == "a good job speaks\n"


def test_only_the_server_and_its_lane_are_left_after_the_jobs(trial: Trial) -> None:
    assert len(trial.processes_before_close) == 2


def test_no_process_is_left_after_the_sandbox(trial: Trial) -> None:
    assert trial.processes_after_close == []


def test_no_file_of_a_job_is_left(trial: Trial) -> None:
    assert trial.left_in_scratch == ["server.log"]
    assert not os.path.exists(trial.scratch)


def test_values_come_back_as_they_were(trial: Trial) -> None:
    values = {
        name: outcome.ending.value
        for name, outcome in trial.outcomes.items()
        if isinstance(outcome.ending, Returned)
    }
    assert values["patch_torch"] == "patched"
    assert values["returns_twice"] == "elder"
    assert values["background_thread"] == "the thread goes on"
    assert values["stdout_flood"] == "dry"


def test_a_crash_leaves_the_python_stack_in_the_output(trial: Trial) -> None:
    assert "hostile_jobs.py" in trial.outcomes["segfault"].output


def test_the_output_is_bounded_and_marked_where_it_was_cut(trial: Trial) -> None:
    output = trial.outcomes["stdout_flood"].output
    assert output.startswith("[...]")
    assert len(output) == len("[...]") + LIMITS.output_bytes


def test_processor_time_distinguishes_a_loop_from_a_wait(trial: Trial) -> None:
    spent = {name: outcome.cost.processor_seconds for name, outcome in trial.outcomes.items()}
    assert spent["python_loop"] > 2 * spent["sleep"]


def test_a_patch_does_not_survive_its_job() -> None:
    jobs = [
        Job("patch", "hostile_jobs:patch_torch"),
        Job("after", "hostile_jobs:reach_of_the_patch"),
    ]
    with sandbox() as running:
        patch, after = running.run(jobs)
    assert patch.ending == Returned("patched")
    assert after.ending == Returned("forward, 1 thread")


def test_the_outcomes_do_not_depend_on_order_or_workers(trial: Trial) -> None:
    jobs = [job for job in JOBS if job.name not in VOLATILE]
    with sandbox(workers=2) as running:
        outcomes = {outcome.job: outcome for outcome in running.run(reversed(jobs))}
        assert len(processes_using(running.scratch)) == 3
    assert processes_using(running.scratch) == []
    for job in jobs:
        first, second = trial.outcomes[job.name], outcomes[job.name]
        assert (first.ending, first.stage) == (second.ending, second.stage)
