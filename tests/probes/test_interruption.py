"""An interrupted run of probes: it reports what it has, says what is missing, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from support.audit_runs import TODAY, Ran, write
from support.probed_project import project

from esper_audit.findings.audit import Audit
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Returned
from esper_audit.probes.sandbox.pool import TORCH, Sandbox
from esper_audit.probes.sandbox.process_tree import processes_using
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import find_project
from esper_audit.project.content_cache import PART
from esper_audit.project.workers import interruption as interruption_module
from esper_audit.project.workers.interruption import (
    SAME_SECONDS,
    Interrupted,
    Interruption,
    interruption_by_signals,
)

# Slow: each test starts sandboxes.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

HERE = os.path.dirname(support.__file__)
SECONDS = 120.0
SLOW = "hostile_jobs:slow"
FILES = {
    "flow/__init__.py": "",
    "flow/first.py": """
import torch
from torch import nn


class Valve(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.open = torch.randperm(width)[: width // 2]
        self.scale = nn.Linear(width // 2, width)

    def forward(self, x):
        return self.scale(x[..., self.open])
""",
    "flow/last.py": """
import os
import time

from torch import nn

DOOR = os.path.join(os.path.dirname(__file__), "..", "open")


class Waiting(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Linear(width, width)
        while not os.path.exists(DOOR):
            time.sleep(0.05)

    def forward(self, x):
        return self.scale(x)
""",
}
MISSED = "1 of 2 classes were not looked at because the run was interrupted"


class ProbeProcess:
    """`esper-audit probe flow` in a process whose temporary files, and those of its sandboxes, are in one folder."""

    def __init__(self, root: Path, style: str = "json") -> None:
        self.temporary = root / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self._started = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "esper_audit",
                "probe",
                "flow",
                "--workers=1",
                "--format",
                style,
            ],
            cwd=root / "tree",
            env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONSAFEPATH": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def ended_by(self, number: signal.Signals) -> Ran:
        """Send a signal, and return how the process ended once none of its sandboxes is left."""
        self._started.send_signal(number)
        ran = self.ended()
        assert until(lambda: not processes_using(str(self.temporary)))
        assert until(lambda: not os.listdir(self.temporary))
        return ran

    def ended(self) -> Ran:
        out, err = self._started.communicate(timeout=SECONDS)
        return Ran(self._started.returncode, out, err)


def until(is_true: Any) -> bool:
    """Wait until something is true, and return whether it is."""
    deadline = time.monotonic() + SECONDS
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(is_true())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "tree", FILES)
    return tmp_path


@pytest.fixture
def halfway(root: Path, cache_directory: Path) -> ProbeProcess:
    """Give a run in which the first class was found broken, and the second one hangs."""

    def is_reproduced() -> bool:
        parts = cache_directory.glob("*.probes.new/*")
        return any(
            b"reproduced " in part.read_bytes() for part in parts if PART.fullmatch(part.name)
        )

    probing = ProbeProcess(root)
    assert until(is_reproduced)
    return probing


def test_a_killed_run_leaves_its_answers_and_no_process(halfway: ProbeProcess, root: Path) -> None:
    killed = halfway.ended_by(signal.SIGKILL)
    assert (killed.status, killed.out) == (-signal.SIGKILL, "")
    (root / "tree" / "open").touch()
    ran = ProbeProcess(root).ended()
    report = json.loads(ran.out)
    assert ran.status == 1
    assert [finding["check"] for finding in report["findings"]] == ["complete-state"]
    assert (report["coverage"]["cached"], report["coverage"]["found"]) == (1, 2)
    assert report["not_analysed"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_what_was_looked_at(
    halfway: ProbeProcess, number: signal.Signals
) -> None:
    ran = halfway.ended_by(number)
    report = json.loads(ran.out)
    assert ran.status == report["exit_status"] == 3
    assert report["interrupted"] is True
    assert [finding["check"] for finding in report["findings"]] == ["complete-state"]
    assert [problem["reason"] for problem in report["not_analysed"]] == [MISSED]
    assert (report["coverage"]["found"], report["coverage"]["interrupted"]) == (1, 1)
    assert {one["by_probes"] for one in report["contracts"]} <= {"broken", "not looked at", None}
    assert "Once more to end at once" in ran.err


def audit_interrupted_at(root: Path, when: int, request: ProbeRequest) -> Audit:
    """Return the audit of a run that is interrupted at one of its reports of progress."""
    interruption = Interruption()
    reports = iter(range(1, 1000))

    def progress(_done: int, _total: int) -> None:
        if next(reports) == when:
            interruption.request()

    return audit_subjects(find_project([str(root)]), request, progress, interruption)


def test_units_of_subjects_that_were_measured_are_reported_and_kept(tmp_path: Path) -> None:
    root = project(tmp_path)
    request = ProbeRequest(workers=1, today=TODAY)
    audit = audit_interrupted_at(root, 1, request)
    whole = audit_subjects(find_project([str(root)]), request)
    measured, every = (
        sum(record.verdict is not Verdict.NOT_APPLICABLE for record in one.records)
        for one in (audit, whole)
    )
    assert 0 < measured < every
    assert audit.exit_status == 3
    assert audit.is_interrupted
    missed = (
        f"{every - measured} of {every} units were not looked at because the run was interrupted"
    )
    assert [problem.reason for problem in audit.not_analysed] == [missed]
    assert whole.cached_units == measured
    assert not whole.is_interrupted


def test_a_run_that_is_interrupted_at_once_looked_at_nothing(tmp_path: Path) -> None:
    root = project(tmp_path)
    interruption = Interruption()
    interruption.request()
    for subjects in ([], ["library.py"], ["sound"]):
        named = ProbeRequest(
            today=TODAY, subjects=[str(root / s) if "." in s else s for s in subjects]
        )
        audit = audit_subjects(find_project([str(root)]), named, None, interruption)
        assert audit.exit_status == 3
        assert (audit.records, audit.findings) == ([], [])
        assert all("interrupted" in problem.reason for problem in audit.not_analysed)


def stopping_after_first(running: Sandbox, jobs: list[Job]) -> Iterator[JobOutcome]:
    """Yield the outcomes of jobs, and stop the sandbox soon after the first."""
    for outcome in running.run(jobs):
        yield outcome
        threading.Timer(0.5, running.stop).start()


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_stopped_sandbox_gives_the_outcomes_that_there_are(start: Any) -> None:
    jobs = [Job(f"{seconds}", SLOW, {"seconds": seconds}) for seconds in (0.0, 1000.0, 0.0)]
    outcomes: list[object] = []
    with Sandbox(search_path=[HERE], workers=1, start=start) as running:
        with pytest.raises(Interrupted):
            outcomes.extend(outcome.ending for outcome in stopping_after_first(running, jobs))
        assert outcomes == [Returned(0.0)]
        with pytest.raises(Interrupted):
            list(running.run(jobs))
    assert processes_using(running.scratch) == []


def test_a_sandbox_is_stopped_while_its_server_imports(tmp_path: Path) -> None:
    started = time.monotonic()
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(1000)\n")
    with Sandbox(["endless", *TORCH], search_path=[str(tmp_path)]) as running:
        threading.Timer(0.5, running.stop).start()
        with pytest.raises(Interrupted):
            list(running.run([Job("one", "hostile_jobs:plain_ok")]))
    assert time.monotonic() - started < SECONDS / 4
    assert processes_using(running.scratch) == []


@pytest.fixture
def _own_handlers() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_own_handlers")
def test_the_first_signal_requests_the_end_and_the_second_has_its_usual_effect() -> None:
    announced: list[bool] = []
    with interruption_by_signals(lambda: announced.append(True)) as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert until(lambda: interruption.is_requested)
        assert announced == [True]
        time.sleep(2 * SAME_SECONDS)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_own_handlers")
def test_a_signal_that_a_process_and_its_group_get_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As that of `timeout`."""
    monkeypatch.setattr(interruption_module, "SAME_SECONDS", SECONDS)
    with interruption_by_signals(lambda: None) as interruption:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert until(lambda: interruption.is_requested)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_own_handlers")
def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption_by_signals(lambda: None) as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not interruption.is_requested
