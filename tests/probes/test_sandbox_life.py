"""The processes of the sandbox: imports in lanes, the environment of jobs, and the death of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import support

from esper_audit.probes.sandbox.fork_backend import GRACE_SECONDS, ForkServer, SandboxError
from esper_audit.probes.sandbox.fork_server import ServerSetup
from esper_audit.probes.sandbox.lane_process import LaneReady, LaneSetup
from esper_audit.probes.sandbox.outcome import (
    Exited,
    ImportFailed,
    Job,
    Limits,
    Raised,
    Returned,
    ServerDied,
    SourceLine,
    TimedOut,
)
from esper_audit.probes.sandbox.pool import Sandbox
from esper_audit.probes.sandbox.process_tree import processes_using
from esper_audit.probes.sandbox.protocol import receive, send

HERE = os.path.dirname(support.__file__)
LIMITS = Limits(seconds=20.0)
PATIENCE_SECONDS = 20.0
SLOW = "hostile_jobs:slow"
AT_IMPORT = {
    "sound": "def call():\n    return 'called'\n",
    "exits": "import os\nos._exit(0)\n",
    "raises": "def deeper():\n    raise RuntimeError('at import')\n\ndeeper()\n",
    "leaves": "raise SystemExit(0)\n",
    "unfinished": "def call(:\n",
    "hangs": "import collections, itertools\ncollections.deque(itertools.repeat(None), maxlen=0)\n",
    "crashes": "import ctypes\nctypes.string_at(0)\n",
    "threaded": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "def call():\n    return 'called'\n"
    ),
    "soon": "import threading, time\nthreading.Thread(target=time.sleep, args=(0.2,)).start()\n",
    "forks": (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\n"
        "def call():\n    return 'called'\n"
    ),
}

pytestmark = [
    pytest.mark.slow,  # each test starts sandboxes, and kills some
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere jobs are spawned"),
]


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    for name, text in AT_IMPORT.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def wait_until_left(processes: int, scratch: str) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS / 2
    while len(processes_using(scratch)) > processes and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(processes_using(scratch)) <= processes


@pytest.mark.parametrize("packages", [(), *((name,) for name in AT_IMPORT)], ids="+".join)
def test_a_bad_import_costs_the_job_that_needs_it(modules: Path, packages: tuple[str, ...]) -> None:
    brief = Limits(seconds=0.3)
    names = [name for name in AT_IMPORT if name != "hangs"]
    jobs = [Job(name, f"{name}:call") for name in names] + [
        Job("hangs", "hangs:call", limits=brief)
    ]
    limits = brief if packages == ("hangs",) else LIMITS
    jobs = [Job(job.name, job.function, limits=job.limits or LIMITS) for job in jobs]
    with Sandbox(packages=packages, search_path=[str(modules)], limits=limits) as running:
        endings = {outcome.job: outcome.ending for outcome in running.run(jobs)}
    for name in ("sound", "threaded", "forks"):
        assert endings[name] == Returned("called")
    assert endings["exits"] == Exited(0)
    assert endings["hangs"] == TimedOut(0.3)
    assert "SIGSEGV" in str(endings["crashes"])
    assert "SyntaxError" in str(endings["unfinished"])
    assert "SystemExit: 0" in str(endings["leaves"])
    raised = endings["raises"]
    assert isinstance(raised, ImportFailed)
    assert raised.place == SourceLine(str(modules / "raises.py"), 2, "deeper")
    assert processes_using(running.scratch) == []


def test_a_package_that_hangs_at_import_ends_by_itself(modules: Path) -> None:
    started = time.monotonic()
    brief = Limits(seconds=0.3)
    with Sandbox(packages=["hangs"], search_path=[str(modules)], limits=brief) as running:
        (outcome,) = running.run([Job("one", "sound:call", limits=LIMITS)])
    assert outcome.ending == Returned("called")
    assert time.monotonic() - started < GRACE_SECONDS  # or it was the caller that lost patience


SPIN = """
import time

def spin(seconds):
    while time.process_time() < seconds:
        pass
    return "done"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the scheduler's count of waiting")
def test_waiting_for_a_busy_processor_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "spinning.py").write_text(SPIN)
    limits = Limits(seconds=0.5)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    one = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    try:
        for process in busy:
            os.sched_setaffinity(process.pid, {one})
        os.sched_setaffinity(0, {one})
        with Sandbox(search_path=[str(tmp_path)], limits=limits, workers=1) as running:
            jobs = [Job(f"{t}", "spinning:spin", {"seconds": t}) for t in (0.35, 1000.0)]
            endings = [outcome.ending for outcome in running.run(jobs)]
    finally:
        os.sched_setaffinity(0, before)
        for process in busy:
            process.kill()
            process.wait()
    assert endings == [Returned("done"), TimedOut(0.5)]


PREPARED = """
DONE = []

def prepare(times):
    DONE.extend(range(times))
    if times > 1:
        raise ValueError(times)

def done():
    return len(DONE)
"""


@pytest.mark.parametrize(("times", "left"), [(1, 1), (2, 0)])
def test_what_a_lane_prepares_its_jobs_have_unless_it_fails(
    tmp_path: Path, times: int, left: int
) -> None:
    (tmp_path / "prepared.py").write_text(PREPARED)
    prepared = [Job("prepare", "prepared:prepare", {"times": times})]
    with Sandbox(prepared=prepared, search_path=[str(tmp_path)], limits=LIMITS) as running:
        outcomes = list(running.run([Job(name, "prepared:done") for name in ("one", "two")]))
    assert [outcome.ending for outcome in outcomes] == [Returned(left)] * 2


def lane_ready(modules: Path, *packages: str) -> LaneReady | None:
    """Return the answer of a new lane to the request to import some packages."""
    server = ForkServer(ServerSetup((), (str(modules),)), str(modules))
    try:
        with server.new_lane() as connection:
            send(connection, LaneSetup(packages, Limits(seconds=0.3)))
            return receive(connection, LaneReady)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        ((), ""),
        (("sound",), ""),
        (("forks",), ""),
        (("soon",), ""),
        (("sound", "raises"), "raises: RuntimeError: at import"),
        (("leaves",), "leaves: SystemExit: 0"),
        (("threaded",), "threaded: its import starts threads, which do not survive a fork"),
    ],
)
def test_a_lane_reports_the_package_that_it_cannot_import(
    modules: Path, packages: tuple[str, ...], problem: str
) -> None:
    ready = lane_ready(modules, *packages)
    assert ready is not None
    assert ready.problem == problem


@pytest.mark.parametrize("package", ["exits", "crashes", "hangs"])
def test_a_lane_dies_with_a_package_that_ends_the_process(modules: Path, package: str) -> None:
    assert lane_ready(modules, "sound", package) is None


@pytest.mark.parametrize("name", ["raises", "exits", "threaded"])
def test_a_job_runs_without_a_package_that_cannot_be_imported_ahead(
    modules: Path, name: str
) -> None:
    with Sandbox(packages=["sound", name], search_path=[str(modules)]) as running:
        outcomes = list(running.run([Job("one", "sound:call")]))
    assert [outcome.ending for outcome in outcomes] == [Returned("called")]


def test_a_package_is_imported_once_for_all_jobs(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(
        "import os\nopen(os.path.join(os.path.dirname(__file__), 'log'), 'a').write('x')\n"
        "def call():\n    return 1\n"
    )
    jobs = [Job(str(number), "counted:call") for number in range(4)]
    with Sandbox(packages=["counted"], search_path=[str(tmp_path)]) as running:
        assert [outcome.ending for outcome in running.run(jobs)] == [Returned(1)] * 4
    assert (tmp_path / "log").read_text() == "x"


def test_a_file_can_be_the_home_of_a_function_and_be_imported_ahead(tmp_path: Path) -> None:
    path = tmp_path / "my subjects.py"
    path.write_text("def call(values):\n    return [*values, __file__]\n")
    job = Job("one", f"{path}:call", {"values": (1, 2)})
    for packages in ([], [str(path)]):
        with Sandbox(packages=packages) as running:
            (outcome,) = running.run([job])
        assert outcome.ending == Returned([1, 2, str(path)])


def test_a_file_that_is_not_there_is_an_import_failure(tmp_path: Path) -> None:
    with Sandbox() as running:
        (outcome,) = running.run([Job("one", f"{tmp_path}/nowhere.py:call")])
    assert isinstance(outcome.ending, ImportFailed)
    assert outcome.stage == "importing"
    assert str(outcome).endswith("while importing")


def test_a_wrong_argument_is_the_jobs_own_error() -> None:
    with Sandbox(search_path=[HERE]) as running:
        (outcome,) = running.run([Job("one", "hostile_jobs:ok", {"nombre": 1})])
    assert isinstance(outcome.ending, Raised)
    assert outcome.ending.type == "TypeError"


def test_a_job_sees_clean_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_LOGS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Sandbox(search_path=[HERE]) as running:
        (outcome,) = running.run([Job("one", "hostile_jobs:surroundings")])
    assert isinstance(outcome.ending, Returned)
    surroundings = outcome.ending.value
    assert isinstance(surroundings, dict)
    assert "TORCH_LOGS" not in surroundings["environment"]
    assert surroundings["threads"] == "1"
    assert surroundings["core"] == [0, 0]
    assert surroundings["stdin"] == ""
    assert surroundings["is_leader"] is True
    assert surroundings["loaded"] == ["hostile_jobs"]


def test_a_trusted_module_that_cannot_be_imported_is_an_error_of_the_sandbox() -> None:
    with Sandbox(["no_such_torch"]) as running, pytest.raises(SandboxError, match="no_such_torch"):
        list(running.run([Job("one", "hostile_jobs:plain_ok")]))
    assert processes_using(running.scratch) == []


def test_the_server_is_started_again_when_it_has_died() -> None:
    job = Job("one", "hostile_jobs:plain_ok")
    with Sandbox(search_path=[HERE], workers=1) as running:
        assert [outcome.ending for outcome in running.run([job])] == [Returned(42)]
        for process in processes_using(running.scratch):
            os.kill(process, signal.SIGKILL)
        outcomes = list(running.run([job, job, job]))
    assert str(outcomes[0]).startswith("one ended the process that supervised it")
    assert [outcome.ending for outcome in outcomes[1:]] == [Returned(42)] * 2
    assert processes_using(running.scratch) == []


def test_a_job_that_kills_its_lane_leaves_no_orphan() -> None:
    with Sandbox(search_path=[HERE]) as running:
        (outcome,) = running.run([Job("one", "hostile_jobs:leave_orphans_and_kill_parent")])
    assert outcome.ending == ServerDied()
    assert processes_using(running.scratch) == []


@pytest.mark.parametrize("slow", [1, 3], ids="{} slow".format)
def test_leaving_early_ends_the_jobs_in_hand_and_the_sandbox_goes_on(slow: int) -> None:
    jobs = [Job("quick", SLOW, {"seconds": 0.0})]
    jobs += [Job(f"slow {number}", SLOW, {"seconds": 1000.0}) for number in range(slow)]
    started = time.monotonic()
    with Sandbox(search_path=[HERE], workers=2) as running:
        outcomes = running.run(jobs)
        assert next(iter(outcomes)).job == "quick"
        outcomes.close()
        assert wait_until_left(1, running.scratch), "the server alone"
        again = [outcome.ending for outcome in running.run(jobs[:1] * 4)]
    assert again == [Returned(0.0)] * 4
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert processes_using(running.scratch) == []


def test_outcomes_come_in_the_order_of_completion() -> None:
    jobs = [Job(str(seconds), SLOW, {"seconds": seconds}) for seconds in (0.6, 0.0)]
    with Sandbox(search_path=[HERE], workers=2) as running:
        assert [outcome.job for outcome in running.run(jobs)] == ["0.0", "0.6"]


def test_a_caller_with_threads_can_use_it_from_any_of_them() -> None:
    found: list[object] = []

    def use() -> None:
        with Sandbox(search_path=[HERE]) as running:
            found.extend(
                outcome.ending for outcome in running.run([Job("one", "hostile_jobs:plain_ok")])
            )

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Returned(42)] * 2


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_killed_caller_leaves_no_process_behind(start: str) -> None:
    script = (
        "import sys\n"
        "from esper_audit.probes.sandbox.outcome import Job\n"
        "from esper_audit.probes.sandbox.pool import Sandbox\n"
        "running = Sandbox(search_path=[sys.argv[1]], workers=2, start=sys.argv[2])\n"
        "print(running.scratch, flush=True)\n"
        "jobs = [Job('quick', 'hostile_jobs:slow', {'seconds': 0.0})]\n"
        "jobs += [Job('slow', 'hostile_jobs:slow', {'seconds': 1000.0})] * 2\n"
        "for outcome in running.run(jobs):\n"
        "    print(outcome.job, flush=True)\n"
    )
    command = [sys.executable, "-c", script, HERE, start]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        scratch = caller.stdout.readline().strip()
        assert caller.stdout.readline() == "quick\n"
        assert processes_using(scratch)
        caller.kill()
    try:
        assert wait_until_left(0, scratch)
    finally:
        subprocess.run(["rm", "-rf", scratch], check=True)


def test_using_the_sandbox_does_not_import_torch() -> None:
    command = "import sys, esper_audit.probes.sandbox.pool; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
