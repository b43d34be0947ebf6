"""A class that takes long costs its limit of processor time, and keeps what was found until then."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time

import pytest
from torch import Tensor, nn

from esper_audit.findings.coverage import NOT_CHECKED, Stage
from esper_audit.probes.discovery import jobs, search
from esper_audit.probes.discovery.jobs import check_class
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.discovery.time_limit import TimeLimitReached, time_limit

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform == "win32", reason="no timer of processor time"),
]
SECONDS = 0.2
LONG = 20.0


def work(seconds: float) -> None:
    """Take processor time."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


class Endless(nn.Module):
    """Never ends a call, and swallows any error."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in itertools.count():
            with contextlib.suppress(Exception):
                work(LONG)
        return x


class Slow(nn.Module):
    """Takes long for its size."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        work(SECONDS / 4)
        return self.layer(x)


def test_a_block_ends_at_its_limit_also_where_the_first_interruption_is_lost() -> None:
    def work_on() -> None:
        with time_limit(SECONDS):
            with contextlib.suppress(BaseException):
                work(LONG)
            work(LONG)

    start = time.process_time()
    with pytest.raises(TimeLimitReached):
        work_on()
    assert time.process_time() - start < LONG / 2


def test_a_block_that_ends_in_time_is_left_alone() -> None:
    with time_limit(SECONDS):
        work(SECONDS / 10)
    work(SECONDS * 2)


def test_a_call_that_does_not_end_costs_the_limit_of_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "LONGEST_SECONDS", 1.0)
    result = find_recipe(f"{__name__}:Endless")
    assert result.stage is Stage.BUILT
    assert result.reason == "no call ended within 1 s of processor time"


def test_what_was_checked_within_the_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHECK_SECONDS", SECONDS * 4)
    one = {"target": f"{__name__}:Slow", "path": "slow.py", "line": 1, "end_line": 2}
    checked = check_class(one, "/", [], [])
    assert checked.coverage.stage is Stage.CHECKED
    assert checked.records
    (skipped,) = [text for text in checked.coverage.properties if text.startswith(NOT_CHECKED)]
    assert "finite-gradients" in skipped
