"""Output for streams: one JSON object a line, each with its kind, the summary last."""

from __future__ import annotations

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.rules.catalogue import CheckCatalogue


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return a line for each finding and for each thing that was not analysed, then the summary."""
    lines = [_line("finding", finding) for finding in audit.findings]
    lines += [_line("not-analysed", problem) for problem in audit.not_analysed]
    summary = {
        "version": 1,
        "exit_status": audit.exit_status,
        "files": audit.files,
        "findings": len(audit.findings),
        "suppressed": len(audit.suppressed),
        "ticketed": len(audit.ticketed),
        "not_analysed": len(audit.not_analysed),
        "hidden_by_since": audit.hidden,
        "below_severity": audit.below_severity,
        "beyond_maximum": audit.beyond_maximum,
    }
    lines.append(_line("summary", summary))
    return "".join(f"{line}\n" for line in lines)


def _line(kind: str, content: object) -> str:
    return msgspec.json.encode({"kind": kind, **msgspec.to_builtins(content)}).decode()
