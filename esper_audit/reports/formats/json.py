"""Output for programs: the whole result of a run as one JSON object."""

from __future__ import annotations

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.coverage import coverage_numbers
from esper_audit.reports.contract_states import contract_states
from esper_audit.rules.catalogue import CheckCatalogue

VERSION = 1


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the run as indented JSON.

    `version` is raised when the meaning of a key changes.
    """
    content: dict[str, object] = {
        "version": VERSION,
        "exit_status": audit.exit_status,
        "files": audit.files,
        "checks": audit.checks,
        "checks_off": audit.off,
        "contracts": contract_states(audit, catalogue),
        "findings": audit.findings,
        "suppressed": audit.suppressed,
        "ticketed": audit.ticketed,
        "probes": audit.records,
        "not_analysed": audit.not_analysed,
        "hidden_by_since": audit.hidden,
        "below_severity": audit.below_severity,
        "beyond_maximum": audit.beyond_maximum,
        "excluded_by_configuration": audit.excluded,
    }
    if audit.coverage is not None:
        content["coverage"] = coverage_numbers(audit.coverage)
    if audit.timings:
        content["timings"] = audit.timings
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
