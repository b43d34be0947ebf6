"""A pytest plugin that records the outcome of each test.

It is copied to where the tests run. It imports nothing of this package, which need not be installed
there.
"""

from __future__ import annotations

import json
import os
from typing import Any

RECORD = "ESPER_AUDIT_RECORD"


def pytest_runtest_logreport(report: Any) -> None:
    """Record a phase of a test."""
    _write(report, vars(report).get("wasxfail"))


def pytest_collectreport(report: Any) -> None:
    """Record what could not be collected."""
    if report.outcome != "passed":
        _write(report, None)


def _write(report: Any, expected: str | None) -> None:
    details = report.longrepr
    text = details[2] if isinstance(details, tuple) else report.longreprtext
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
