"""A pytest plugin that writes down how each test went; it is copied out and loaded where the tests run.

It imports nothing of this package: the tests' interpreter need not know it.
"""

from __future__ import annotations

import json
import os
from typing import Any

RECORD = "ESPER_AUDIT_RECORD"


def pytest_runtest_logreport(report: Any) -> None:
    """Write down each phase of a test."""
    _write(report, vars(report).get("wasxfail"))


def pytest_collectreport(report: Any) -> None:
    """Write down what could not be collected."""
    if report.outcome != "passed":
        _write(report, None)


def _write(report: Any, expected: str | None) -> None:
    said = report.longrepr
    text = said[2] if isinstance(said, tuple) else report.longreprtext
    entry = {
        "node": report.nodeid,
        "phase": vars(report).get("when", "collect"),
        "outcome": report.outcome,
        "expected": expected,
        "text": text[-2000:],
    }
    path = os.environ[RECORD]
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
