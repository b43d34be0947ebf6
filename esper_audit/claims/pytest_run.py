"""Running pytest nodes in an interpreter of their own, as their owner does, and saying how each went."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import msgspec

from esper_audit.claims import pytest_recorder
from esper_audit.text.phrases import quoted

FAILURES_SHOWN = "E   "  # how pytest begins the lines of an assertion
PASSED, FAILED, USAGE_ERROR, NOTHING_COLLECTED = 0, 1, 4, 5  # exit statuses of pytest
NOT_FOUND = "not found: "  # what it says of a node that is none


class NodeResult(msgspec.Struct, frozen=True):
    """How a node went: tests passed, failed and skipped (with reasons), or what kept it from running."""

    passed: int = 0
    failed: list[str] = []
    skipped: list[str] = []
    problem: str = ""


class PhaseResult(msgspec.Struct, frozen=True):
    """A line of the record: a phase of a test, or what could not be collected."""

    node: str
    phase: str
    outcome: str
    text: str
    expected: str | None = None


def run_nodes(root: str, nodes: list[str]) -> dict[str, Any]:
    """Run nodes below `root`; a job for the sandbox.

    All in one go. Where that leaves some untold (one does not exist, and pytest runs none; one takes the
    process along), those are run one by one.
    """
    told = _run(root, nodes)
    if len(nodes) > 1:
        for node in [node for node in nodes if _is_untold(told[node])]:
            told.update(_run(root, [node]))
    plain: dict[str, Any] = msgspec.to_builtins(told)
    return plain


def _is_untold(tested: NodeResult) -> bool:
    return bool(tested.problem) or not (tested.passed or tested.failed or tested.skipped)


def _run(root: str, nodes: Sequence[str]) -> dict[str, NodeResult]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(str(pytest_recorder.__file__), os.path.join(folder, "esper_audit_recorder.py"))
        record = os.path.join(folder, "record")
        search = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), folder)))
        options = ("-p", "esper_audit_recorder", "-q", "--maxfail=0")
        done = subprocess.run(  # noqa: S603  # our own interpreter, no shell
            [sys.executable, "-m", "pytest", *options, "-o", f"cache_dir={folder}/cache", *nodes],
            cwd=root,
            env={**os.environ, "PYTHONPATH": search, pytest_recorder.RECORD: record},
            capture_output=True,
            text=True,
            check=False,
        )
        entries = _read(record)
    return {node: _tested(node, entries, done) for node in nodes}


def _read(record: str) -> list[PhaseResult]:
    if not os.path.exists(record):
        return []
    with open(record, "rb") as file:
        return [msgspec.json.decode(line, type=PhaseResult) for line in file]


def _tested(
    node: str, entries: Sequence[PhaseResult], done: subprocess.CompletedProcess[str]
) -> NodeResult:
    own = [entry for entry in entries if _belongs(entry.node, node)]
    failed = [_reason(e) for e in own if e.outcome == "failed"]
    failed += [f"it is expected to: {e.expected}" for e in own if _fails_as_expected(e)]
    skipped = [_reason(e) for e in own if e.outcome == "skipped" and e.expected is None]
    passed = {entry.node for entry in own if entry.phase == "call" and entry.outcome == "passed"}
    broken = [e for e in entries if e.phase == "collect" and _belongs(node, e.node)]
    if broken:
        outcome = "does not load" if broken[0].outcome == "failed" else "is skipped as a whole"
        return NodeResult(problem=f"{broken[0].node} {outcome}: {_reason(broken[0])}")
    nowhere = done.returncode == USAGE_ERROR and NOT_FOUND in done.stderr
    told = own or done.returncode != FAILED  # it also says so when there is no pytest
    ended = done.returncode in (PASSED, FAILED, NOTHING_COLLECTED)
    if nowhere or (ended and told):
        return NodeResult(len(passed), failed, skipped)
    return NodeResult(problem=f"pytest ended with status {done.returncode}: {_last_line(done)}")


def _fails_as_expected(entry: PhaseResult) -> bool:
    return entry.outcome == "skipped" and entry.expected is not None


def _belongs(inner: str, outer: str) -> bool:
    """Return whether a node is another, or stands below it: a test in a file, a case of a test."""
    outer = outer.rstrip("/")
    return inner == outer or inner.startswith((f"{outer}::", f"{outer}[", f"{outer}/"))


def _reason(entry: PhaseResult) -> str:
    lines = [line for line in entry.text.splitlines() if line.strip()]
    said = (
        [line for line in lines if line.startswith(FAILURES_SHOWN)] or lines[-1:] or ["no reason"]
    )
    return quoted(said[0].removeprefix(FAILURES_SHOWN).removeprefix("Skipped: "))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr + done.stdout).strip().splitlines()
    return quoted(lines[-1]) if lines else "it said nothing"
