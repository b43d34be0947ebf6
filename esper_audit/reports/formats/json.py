"""Output for programs: the whole result of a run as one JSON object."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.findings.coverage import coverage_numbers
from esper_audit.findings.file_outcome import CheckTiming
from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.reports.contract_states import ContractStates, contract_states
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.json_schema import DIALECT

VERSION = 1


class AuditReport(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An audit as it is printed. `docs/json-output.md` promises which of it stays."""

    version: int
    exit_status: int
    files: int
    notebooks: int = 0
    checks: list[str]
    checks_off: list[str]
    contracts: list[ContractStates]
    findings: list[Finding]
    suppressed: list[Suppressed]
    expiring: list[Suppressed] = []
    ticketed: list[Ticketed]
    probes: list[ProbeRecord]
    not_analysed: list[NotAnalysed]
    hidden_by_since: int
    below_severity: int
    beyond_maximum: int
    excluded_by_configuration: list[str]
    cached_units: int = 0
    unchanged_units: int = 0
    interrupted: bool = False
    coverage: dict[str, Any] | None = None
    timings: list[CheckTiming] = []


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the run as indented JSON.

    `version` is raised when the meaning of a key changes.
    """
    report = AuditReport(
        version=VERSION,
        exit_status=audit.exit_status,
        files=audit.files,
        notebooks=audit.notebooks,
        checks=audit.checks,
        checks_off=audit.off,
        contracts=contract_states(audit, catalogue),
        findings=audit.findings,
        suppressed=audit.suppressed,
        expiring=audit.expiring,
        ticketed=audit.ticketed,
        probes=audit.records,
        not_analysed=audit.not_analysed,
        hidden_by_since=audit.hidden,
        below_severity=audit.below_severity,
        beyond_maximum=audit.beyond_maximum,
        excluded_by_configuration=audit.excluded,
        cached_units=audit.cached_units,
        unchanged_units=audit.unchanged_units,
        interrupted=audit.is_interrupted,
        coverage=coverage_numbers(audit.coverage) if audit.coverage is not None else None,
        timings=audit.timings,
    )
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the output."""
    described = msgspec.json.schema(AuditReport)
    return {"$schema": DIALECT, "title": "esper-audit report", **described}
