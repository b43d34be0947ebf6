"""What has to run before a claim can be answered: checks, jobs in the sandbox, pytest nodes."""

from __future__ import annotations

import msgspec

from esper_audit.claims.records import NodeId
from esper_audit.probes.sandbox.outcome import Job


class CheckRun(msgspec.Struct, frozen=True):
    """A check to run on a file, once for all claims."""

    check: str
    path: str


class PytestRun(msgspec.Struct, frozen=True):
    """A pytest node to run, together with all other nodes."""

    node: NodeId


Need = Job | CheckRun | PytestRun
