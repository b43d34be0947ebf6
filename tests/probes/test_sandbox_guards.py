"""A guarded job reaches no network and writes into its scratch folder alone, and memory is what it uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from esper_audit.probes.sandbox.outcome import (
    MEBIBYTE,
    Job,
    JobOutcome,
    Limits,
    OutOfMemory,
    Raised,
    Returned,
)
from esper_audit.probes.sandbox.pool import Sandbox

HERE = str(Path(__file__).parents[1])
JOBS = "support.guarded_jobs"
LIMITS = Limits(seconds=20.0, memory_bytes=512 * MEBIBYTE, is_guarded=True)
# Slow: each job runs in a process of its own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox([JOBS], search_path=[HERE], limits=LIMITS) as running:
        yield running


def outcome(sandbox: Sandbox, function: str, **arguments: object) -> JobOutcome:
    (only,) = sandbox.run([Job("job", f"{JOBS}:{function}", arguments)])
    return only


@pytest.mark.parametrize(
    ("function", "arguments"), [("download", {}), ("connect", {"host": "192.0.2.1"})]
)
def test_the_network_is_out_of_reach(
    sandbox: Sandbox, function: str, arguments: dict[str, object]
) -> None:
    ending = outcome(sandbox, function, **arguments).ending
    assert isinstance(ending, Raised)
    assert "the network is not allowed in a probe" in ending.message


def test_a_write_outside_the_scratch_folder_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    ending = outcome(sandbox, "write_to", path=str(tmp_path / "a.txt")).ending
    assert isinstance(ending, Raised)
    assert "writes outside the scratch folder are not allowed" in ending.message
    assert not list(tmp_path.iterdir())


def test_the_scratch_folder_devices_and_reading_are_allowed(sandbox: Sandbox) -> None:
    assert isinstance(outcome(sandbox, "write_to_scratch").ending, Returned)
    assert isinstance(outcome(sandbox, "read_and_write_device").ending, Returned)


def test_memory_that_an_import_only_maps_does_not_count(sandbox: Sandbox) -> None:
    assert isinstance(outcome(sandbox, "allocate", mebibytes=300).ending, Returned)


def test_memory_that_a_job_uses_counts(sandbox: Sandbox) -> None:
    ending = outcome(sandbox, "allocate", mebibytes=700).ending
    assert isinstance(ending, OutOfMemory)
    assert "the limit is probing.memory" in str(ending)
