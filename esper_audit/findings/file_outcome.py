"""The result of checking one file, which engine, workers and cache exchange."""

from __future__ import annotations

import msgspec

from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed


class CheckTiming(msgspec.Struct, frozen=True):
    """What a rule cost: files and candidates that it was run on, and processor seconds."""

    check: str
    files: int
    candidates: int
    seconds: float


class FileOutcome(msgspec.Struct, frozen=True, array_like=True):
    """The result of checking one file.

    `used` are the indices of the configured exceptions that applied.

    `lost` means that the worker process died; such an outcome is not cached.

    `timings` are empty unless they were requested.
    """

    path: str
    findings: list[Finding] = []
    suppressed: list[Suppressed] = []
    not_analysed: list[NotAnalysed] = []
    used: list[int] = []
    lost: bool = False
    timings: list[CheckTiming] = []
