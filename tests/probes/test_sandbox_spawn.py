"""Without fork: an interpreter a job gives the same outcomes."""

from __future__ import annotations

import os
import time

import pytest
import support

from esper_audit.probes.sandbox.outcome import (
    Ending,
    Exited,
    ImportFailed,
    Job,
    Killed,
    Limits,
    Raised,
    Returned,
    TimedOut,
)
from esper_audit.probes.sandbox.pool import Sandbox
from esper_audit.probes.sandbox.process_tree import processes_using

# Slow: hostile jobs hang until their limit, fill memory and kill processes.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

HERE = os.path.dirname(support.__file__)
LIMITS = Limits(seconds=30.0, memory_bytes=1 << 30, file_bytes=2 << 20, output_bytes=4096)
BRIEF = Limits(seconds=0.5)
TRUSTED = ("msgspec.json",)


def spawning(workers: int = 2, preload: tuple[str, ...] = TRUSTED) -> Sandbox:
    return Sandbox(preload, search_path=[HERE], limits=LIMITS, workers=workers, start="spawn")


def endings(jobs: list[Job]) -> dict[str, Ending]:
    with spawning() as running:
        found = {outcome.job: outcome.ending for outcome in running.run(jobs)}
        assert processes_using(running.scratch) == []
    assert not os.path.exists(running.scratch)
    return found


def job(function: str, limits: Limits | None = None, **arguments: object) -> Job:
    return Job(function, f"hostile_jobs:{function}", arguments, limits)


def test_a_good_job_returns_its_value_and_its_words() -> None:
    with spawning() as running:
        (outcome,) = running.run([job("speaks")])
    assert outcome.ending == Returned("spoken")
    assert outcome.output == "on stdout\non stderr\n"
    assert outcome.stage == "running"


def test_hostile_jobs_end_as_under_the_fork_server() -> None:
    functions = [
        "raises",
        "segfault",
        "kill_itself",
        "python_memory_bomb",
        "unserialisable",
        "forged_verdict",
    ]
    functions += [
        "scribbled_verdict",
        "closed_descriptors",
        "fill_the_disk",
        "background_thread",
        "returns_twice",
    ]
    functions += ["raises_the_unspeakable", "stdout_flood", "nosuch"]
    jobs = [job(function) for function in functions] + [
        job("os_exit", status=0),
        job("sys_exit", status=3),
    ]
    jobs += [job("c_loop", BRIEF), job("ignore_sigterm", BRIEF), job("endless_flood", BRIEF)]
    spawned = endings(jobs)
    with Sandbox(TRUSTED, search_path=[HERE], limits=LIMITS, start="fork") as running:
        forked = {outcome.job: outcome.ending for outcome in running.run(jobs)}
    assert spawned == forked
    assert spawned["os_exit"] == Exited(0)
    assert spawned["kill_itself"] == Killed("SIGKILL")
    assert spawned["c_loop"] == TimedOut(0.5)
    assert isinstance(spawned["sys_exit"], Raised)


def test_grandchildren_are_killed_even_in_a_session_of_their_own() -> None:
    found = endings([job("orphans")])
    assert isinstance(found["orphans"], Returned)


def test_a_trusted_module_that_cannot_be_imported_fails_each_job() -> None:
    with spawning(preload=("no_such_torch",)) as running:
        (outcome,) = running.run([job("plain_ok")])
    assert isinstance(outcome.ending, ImportFailed)
    assert "no_such_torch" in outcome.ending.message


def test_leaving_early_ends_the_jobs_in_hand() -> None:
    started = time.monotonic()
    jobs = [job("slow", seconds=0.0), job("slow", seconds=1000.0), job("slow", seconds=1000.0)]
    with spawning() as running:
        outcomes = running.run(jobs)
        assert next(iter(outcomes)).ending == Returned(0.0)
        outcomes.close()
    assert time.monotonic() - started < LIMITS.seconds
    assert processes_using(running.scratch) == []
