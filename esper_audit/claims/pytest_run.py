"""Runs pytest nodes in a separate interpreter and returns the result of each."""

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

ASSERTION_LINE = "E   "  # how pytest begins the lines of an assertion
PASSED, FAILED, USAGE_ERROR, NOTHING_COLLECTED = 0, 1, 4, 5  # exit statuses of pytest
NOT_FOUND = "not found: "  # what pytest prints for a node that does not exist


class NodeResult(msgspec.Struct, frozen=True):
    """Tests of a node that passed, failed and were skipped (with reasons), or why it did not run."""

    passed: int = 0
    failed: list[str] = []
    skipped: list[str] = []
    problem: str = ""


class PhaseResult(msgspec.Struct, frozen=True):
    """A line of the record: a phase of a test, or a file that could not be collected."""

    node: str
    phase: str
    outcome: str
    text: str
    expected: str | None = None


def run_nodes(root: str, nodes: list[str]) -> dict[str, Any]:
    """Run nodes below `root`, as a job in the sandbox.

    All nodes run in one process. Those without a result run again one by one: pytest runs none if one
    node does not exist, and a test may end the process.
    """
    results = _run(root, nodes)
    if len(nodes) > 1:
        for node in [node for node in nodes if _is_without_result(results[node])]:
            results.update(_run(root, [node]))
    plain: dict[str, Any] = msgspec.to_builtins(results)
    return plain


def _is_without_result(result: NodeResult) -> bool:
    return bool(result.problem) or not (result.passed or result.failed or result.skipped)


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
    return {node: _result(node, entries, done) for node in nodes}


def _read(record: str) -> list[PhaseResult]:
    if not os.path.exists(record):
        return []
    with open(record, "rb") as file:
        return [msgspec.json.decode(line, type=PhaseResult) for line in file]


def _result(
    node: str, entries: Sequence[PhaseResult], done: subprocess.CompletedProcess[str]
) -> NodeResult:
    own = [entry for entry in entries if _belongs(entry.node, node)]
    failed = [_reason(e) for e in own if e.outcome == "failed"]
    failed += [f"as expected: {e.expected}" for e in own if _fails_as_expected(e)]
    skipped = [_reason(e) for e in own if e.outcome == "skipped" and e.expected is None]
    passed = {entry.node for entry in own if entry.phase == "call" and entry.outcome == "passed"}
    broken = [e for e in entries if e.phase == "collect" and _belongs(node, e.node)]
    if broken:
        outcome = "does not load" if broken[0].outcome == "failed" else "is skipped as a whole"
        return NodeResult(problem=f"{broken[0].node} {outcome}: {_reason(broken[0])}")
    is_missing = done.returncode == USAGE_ERROR and NOT_FOUND in done.stderr
    is_reliable = own or done.returncode != FAILED  # the status is 1 without pytest, too
    ended = done.returncode in (PASSED, FAILED, NOTHING_COLLECTED)
    if is_missing or (ended and is_reliable):
        return NodeResult(len(passed), failed, skipped)
    return NodeResult(problem=f"pytest ended with status {done.returncode}: {_last_line(done)}")


def _fails_as_expected(entry: PhaseResult) -> bool:
    return entry.outcome == "skipped" and entry.expected is not None


def _belongs(inner: str, outer: str) -> bool:
    """Return whether a node is another or is part of it: a test of a file, a case of a test."""
    outer = outer.rstrip("/")
    return inner == outer or inner.startswith((f"{outer}::", f"{outer}[", f"{outer}/"))


def _reason(entry: PhaseResult) -> str:
    lines = [line for line in entry.text.splitlines() if line.strip()]
    shown = (
        [line for line in lines if line.startswith(ASSERTION_LINE)] or lines[-1:] or ["no reason"]
    )
    return quoted(shown[0].removeprefix(ASSERTION_LINE).removeprefix("Skipped: "))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr + done.stdout).strip().splitlines()
    return quoted(lines[-1]) if lines else "no output"
