"""What `audit.md` says: the matrix of contracts, findings by severity, exceptions, and what was not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from esper_audit.audit import Audit
from esper_audit.contract import Contract
from esper_audit.finding import Finding, Location, Suppressed
from esper_audit.handbook import Handbook
from esper_audit.markdown import cell, code, count, listed
from esper_audit.probe_sheets import ProbeSheet
from esper_audit.probes_section import probe_verdict, probes_section
from esper_audit.ticket import Ticket


class Row(msgspec.Struct, frozen=True):
    """A contract in the matrix."""

    contract: str
    statement: str
    rule: str
    probe: str
    why: str
    checks: str
    tickets: str


def audit_page(
    audit: Audit, tickets: Mapping[str, Ticket], handbook: Handbook
) -> dict[str, object]:
    """Return the content of the page, ready to print."""
    by_identity = {t.fingerprint: t for t in tickets.values() if t.fingerprint}
    return {
        "summary": _summary(audit),
        "matrix": [_row(contract, audit, handbook) for contract in handbook.contracts.values()],
        "severities": _severities(audit, by_identity),
        "tickets": sorted(tickets.values(), key=lambda t: (t.severity, t.status, t.id)),
        "authorised": [_authorised(suppressed) for suppressed in audit.suppressed],
        "not_looked_at": _not_looked_at(audit, handbook),
        "probes": probes_section(audit),
        "folders": _folders(audit),
    }


def _summary(audit: Audit) -> str:
    by_severity = Counter(finding.severity for finding in audit.findings)
    counted = ", ".join(f"{number} {severity}" for severity, number in sorted(by_severity.items()))
    findings = count(len(audit.findings), "finding") + (f" ({counted})" if counted else "")
    return (
        f"{count(audit.files, 'file')} and {count(len(audit.checks), 'check')}: {findings}, "
        f"{len(audit.ticketed)} accepted, {len(audit.suppressed)} authorised, "
        f"{count(len(audit.not_analysed), 'thing')} not looked at."
    )


def _row(contract: Contract, audit: Audit, handbook: Handbook) -> Row:
    of_it = [check for check in handbook.checks.values() if check.contract == contract.id]
    probes = sorted(check.id for check in of_it if issubclass(check, ProbeSheet))
    rules = sorted(check.id for check in of_it if not issubclass(check, ProbeSheet))
    checks = [*rules, *probes]
    return Row(
        contract=contract.id,
        statement=cell(contract.statement),
        rule=_rule_verdict(rules, audit),
        probe=probe_verdict(contract.id, probes, audit),
        why=contract.why,
        checks=listed([f"[{check}](rules.md#{check})" for check in checks])
        if checks
        else "nothing yet",
        tickets=listed(contract.tickets) if contract.tickets else "nobody yet",
    )


def _rule_verdict(checks: list[str], audit: Audit) -> str:
    """Say what reading the source tells of a contract; "holds" only if all of it was read."""
    on = [check for check in checks if check in audit.checks]
    if not on:
        return "not looked at" if checks else "no rule"
    found = sum(finding.check in on for finding in audit.findings)
    authorised = sum(suppressed.finding.check in on for suppressed in audit.suppressed)
    missed = sum(problem.check in ("", *on) for problem in audit.not_analysed)
    verdict = f"**broken**: [{found}](#findings)" if found else "holds"
    if missed and not found:
        verdict = f"not looked at in {missed}"
    elif missed:
        verdict += f", not looked at in {missed}"
    accepted = sum(ticketed.finding.check in on for ticketed in audit.ticketed)
    if accepted:
        verdict += f", [{accepted} accepted](#tickets)"
    return f"{verdict}, [{authorised} authorised](#authorised)" if authorised else verdict


def _severities(audit: Audit, by_identity: Mapping[str, Ticket]) -> list[dict[str, object]]:
    groups: dict[str, list[dict[str, str]]] = {}
    for finding in audit.findings:
        groups.setdefault(finding.severity, []).append(_finding(finding, by_identity))
    return [{"severity": severity, "findings": groups[severity]} for severity in sorted(groups)]


def _finding(finding: Finding, by_identity: Mapping[str, Ticket]) -> dict[str, str]:
    ticket = by_identity.get(finding.fingerprint)
    link = f"[{ticket.id}](tickets/{ticket.id}.md)" if ticket else ""
    return {
        "ticket": link,
        "check": f"[{finding.check}](rules.md#{finding.check})",
        "where": _where(finding.location),
        "message": cell(finding.message) + _evidence(finding),
        "impact": cell(finding.impact.words) if finding.impact else "",
    }


def _evidence(finding: Finding) -> str:
    if not finding.probed:
        return ""
    units = listed([code(evidence.unit) for evidence in finding.probed])
    return f" ({finding.standing} by {units})"


def _where(at: Location) -> str:
    return code(f"{at.path}:{at.line}") + (f" {code(at.symbol)}" if at.symbol else "")


def _authorised(suppressed: Suppressed) -> dict[str, str]:
    reason = suppressed.suppression
    return {
        "check": f"[{suppressed.finding.check}](rules.md#{suppressed.finding.check})",
        "where": _where(suppressed.finding.location),
        "reason": cell(reason.reason),
        "owner": cell(reason.owner) or f"{reason.origin} comment",
        "until": reason.until or "",
    }


def _not_looked_at(audit: Audit, handbook: Handbook) -> list[str]:
    lines = [cell(problem.sentence()) for problem in audit.not_analysed]
    lines += [f"check {code(check)} is off" for check in audit.off]
    lines += [f"{code(pattern)} is excluded by configuration" for pattern in handbook.excluded]
    if not audit.records:
        lines.append("No probe has run.")
    return lines or ["Everything was."]


def _folders(audit: Audit) -> list[dict[str, object]]:
    counts = Counter(path.split("/")[0] if "/" in path else "." for path in audit.checked)
    return [{"name": code(name), "files": number} for name, number in sorted(counts.items())]
