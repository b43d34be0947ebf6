"""What has to be run before a claim can be answered: checks, jobs in the sandbox, pytest nodes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from esper_audit.probes.sandbox.outcome import Job


class CheckRun(msgspec.Struct, frozen=True):
    """The wish that a check be run on a file; many claims share one run."""

    check: str
    path: str


NodeId = Annotated[str, msgspec.Meta(pattern=r"^[^\s:-][^\s:]*(::.+)?$")]


class TestRun(msgspec.Struct, frozen=True):
    """The wish that a pytest node be run; all of them share one run."""

    __test__ = False  # it is no test itself, though its name begins like one

    node: NodeId


Need = Job | CheckRun | TestRun
