"""A cluster of Dask gives the findings of this machine, also when one of its workers is killed."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.audit_runs import TODAY, command
from support.probed_project import project

from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.sandbox.cluster import ClusterSandbox
from esper_audit.probes.sandbox.job_runner import SandboxSetup
from esper_audit.probes.sandbox.outcome import Job, Limits, Returned
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import find_project
from esper_audit.project.workers.interruption import Interrupted

# Slow: starts two workers, each of which imports torch in its sandbox.
pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.filterwarnings("ignore")]
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with (
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as started,
    ):
        yield started


def test_a_cluster_gives_the_audit_of_this_machine(cluster: Any, tmp_path: Path) -> None:
    root = find_project([str(project(tmp_path))])
    here, there = (
        audit_subjects(root, ProbeRequest(workers=2, cluster=address, today=TODAY, cache=False))
        for address in ("", cluster.scheduler_address)
    )
    assert len(here.findings) == 1
    assert here == there


SLEEPING = "import time\n\ndef nap(number):\n    time.sleep(0.2)\n    return number\n"


def test_a_killed_worker_loses_no_job(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "sleeping.py").write_text(SLEEPING)
    place = f"{tmp_path / 'sleeping.py'}:nap"
    jobs = [Job(f"{number}", place, {"number": number}) for number in range(12)]
    runner = ClusterSandbox(SandboxSetup(limits=Limits(seconds=20)), cluster.scheduler_address)
    victim = next(iter(cluster.workers.values())).process.process.pid
    endings = {}
    for outcome in runner.run(jobs):
        if not endings:
            os.kill(victim, signal.SIGKILL)
        endings[outcome.job] = outcome.ending
    runner.close()
    assert endings == {f"{number}": Returned(number) for number in range(12)}


def test_a_stopped_cluster_gives_the_outcomes_that_there_are(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "sleeping.py").write_text(SLEEPING.replace("0.2", "number"))
    place = f"{tmp_path / 'sleeping.py'}:nap"
    jobs = [Job(f"{number}", place, {"number": number}) for number in (0, 1000, 1001, 1002)]
    runner = ClusterSandbox(SandboxSetup(limits=Limits(seconds=2000)), cluster.scheduler_address)
    endings: list[object] = []

    def stop_after_first() -> None:
        for outcome in runner.run(jobs):
            endings.append(outcome.ending)
            threading.Timer(0.5, runner.stop).start()

    with pytest.raises(Interrupted):
        stop_after_first()
    with pytest.raises(Interrupted):
        list(runner.run(jobs))
    runner.close()
    assert endings == [Returned(0)]


def test_an_address_without_a_scheduler_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path))
    monkeypatch.setattr("esper_audit.probes.sandbox.cluster.CONNECT_SECONDS", 0.5)
    ran = command("probe", "--cluster", "tcp://127.0.0.1:9")
    assert ran.status == 2
    assert "--cluster tcp://127.0.0.1:9: no scheduler answers" in ran.err
