"""`esper-audit watch` from the command line: exit status, ranks, interrupts, equal numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.watched_command import LOOP, MISSING, watch

# Slow: each test starts processes that import torch.
pytestmark = [pytest.mark.slow, pytest.mark.torch]


def printed(run: subprocess.CompletedProcess[str]) -> str:
    return next(line for line in run.stdout.splitlines() if line[:1].isdigit() or line[:1] == "-")


def test_a_sound_run_is_clean_and_its_numbers_are_those_of_the_bare_run(tmp_path: Path) -> None:
    run = watch(tmp_path, "--", sys.executable, "train.py")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No findings in 1 file" in run.stdout
    assert "watched 6 optimizer steps in 1 process; the command ended with 0" in run.stdout
    bare = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert printed(run) == bare.stdout.strip()


def test_a_suspicion_of_a_rule_is_confirmed(tmp_path: Path) -> None:
    run = watch(tmp_path, "--format", "json", "--", sys.executable, "train.py", script=MISSING)
    assert run.returncode == 1, run.stdout + run.stderr
    report = json.loads(run.stdout[run.stdout.index("{") :])
    (finding,) = report["findings"]
    assert (finding["check"], finding["standing"]) == ("missing-zero-grad", "confirmed")
    assert finding["probed"][0]["unit"].startswith("gradients-cleared@step")
    assert report["watch"]["command_status"] == 0
    assert report["watch"]["looked"]["gradients-cleared"] > 0
    assert "one process" in report["watch"]["nothing_to_look_at"]["ranks-agree"]


def test_one_monitor_alone(tmp_path: Path) -> None:
    run = watch(tmp_path, "--only", "loss-inputs", "--", sys.executable, "train.py", script=MISSING)
    assert "1 monitor on" in run.stdout, run.stdout
    assert watch(tmp_path, "--only", "loss-input", "--", "x").returncode == 2


def test_hooks_of_steps_come_off_and_others_stay(tmp_path: Path) -> None:
    late = LOOP + "train()\nmodel.eval()\ntrain()\n"
    run = watch(tmp_path, "--steps", "3", "--", sys.executable, "train.py", script=late)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "modes-right" in run.stdout
    assert "step-applied: looked 3 times" in run.stdout


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        (["no-such-program-anywhere"], 2, "cannot start"),
        ([sys.executable, "-c", "print(1)"], 3, "no process imported torch"),
        ([sys.executable, "-I", "train.py"], 3, "no process imported torch"),
        ([sys.executable, "-c", "import torch"], 3, "no optimizer was built"),
        ([sys.executable, "-c", "import train; raise SystemExit(5)"], 3, "ended with status 5"),
    ],
)
def test_a_command_that_cannot_be_watched_is_named(
    tmp_path: Path, command: list[str], status: int, reason: str
) -> None:
    run = watch(tmp_path, "--", *command)
    assert run.returncode == status, run.stdout + run.stderr
    assert reason in " ".join((run.stdout + run.stderr).split())


def test_a_program_that_asks_for_torch_before_it_imports_it_is_watched(tmp_path: Path) -> None:
    asking = "from importlib.util import find_spec\nassert find_spec('torch')\n" + LOOP
    run = watch(tmp_path, "--", sys.executable, "train.py", script=asking)
    assert "watched 6 optimizer steps" in run.stdout, run.stdout + run.stderr


def test_the_users_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('own site')\n", encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{own}"
    try:
        run = watch(tmp_path, "--", sys.executable, "train.py")
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    assert "own site" in run.stdout
    assert "watched 6 optimizer steps" in run.stdout


def test_what_was_seen_before_an_interrupt_is_reported(tmp_path: Path) -> None:
    endless = MISSING.replace("range(6)", "iter(int, 1)").replace(
        "        optimizer.step()", "        optimizer.step(); print('step', flush=True)"
    )
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "train.py").write_text(endless, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "esper_audit", "watch", "--", sys.executable, "train.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(5):
        assert "step" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 3), out
    assert "missing-zero-grad" in out or "gradients-cleared" in out


def test_an_expected_failure_is_set_aside_and_one_that_is_gone_is_named(tmp_path: Path) -> None:
    def expecting(code: str, script: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "esper-audit.toml").write_text(
            '[[expect]]\nprobe = "gradients-cleared"\nsubject = "train.py:train"\n'
            f'code = "{code}"\nreason = "a paper does so"\n',
            encoding="utf-8",
        )
        return watch(tmp_path, "--", sys.executable, "train.py", script=script)

    clean = expecting("not-cleared", MISSING)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "1 authorised" in " ".join(clean.stdout.split())
    assert expecting("another", MISSING).returncode == 1
    kept = expecting("not-cleared", LOOP)
    assert kept.returncode == 1, kept.stdout + kept.stderr
    assert "the monitor looked there and saw nothing" in " ".join(kept.stdout.split())


def test_what_was_found_gets_a_ticket_and_is_known_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text('ignore = ["missing-zero-grad"]\n', encoding="utf-8")
    command = ("--", sys.executable, "train.py")
    first = watch(tmp_path, "--tickets", *command, script=MISSING)
    assert first.returncode == 1, first.stdout + first.stderr
    (ticket,) = (tmp_path / "tickets").glob("*.yaml")
    assert f"opened {ticket.stem}" in first.stdout
    before = ticket.read_bytes()
    assert b"check: gradients-cleared" in before
    again = watch(tmp_path, "--tickets", *command, script=MISSING)
    assert again.returncode == 0, again.stdout + again.stderr
    assert ticket.read_bytes() == before
    audit = [sys.executable, "-m", "esper_audit", "ticket", "sync"]
    subprocess.run(audit, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert ticket.read_bytes() == before
