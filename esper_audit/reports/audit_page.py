"""The content of `audit.md`, section by section in the order of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from esper_audit.claims.reply import Answer
from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, Location, Suppressed
from esper_audit.findings.probe_record import Verdict, tally, tally_text, undecided_records
from esper_audit.reports.contract_matrix import contract_matrix
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, code, count, listed
from esper_audit.tickets.assessment import MEANING, Assessment, VerifiedTicket
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

Row = dict[str, str]


def audit_page(
    audit: Audit,
    tickets: Mapping[str, Ticket],
    catalogue: CheckCatalogue,
    verified: Sequence[VerifiedTicket],
) -> dict[str, object]:
    """Return the content of the page, ready to print."""
    return {
        "summary": _summary(audit),
        "matrix": contract_matrix(audit, catalogue),
        "severities": _findings_by_severity(audit, tickets.values()),
        "tickets": sorted(tickets.values(), key=lambda t: (t.severity, t.status, t.id)),
        "verified": [_claims_row(ticket) for ticket in verified],
        "assessments": _assessments(verified),
        "authorised": [_authorised(suppressed) for suppressed in audit.suppressed],
        "probes": _probes(audit),
        "not_looked_at": [*_not_looked_at(audit, catalogue), *_unverified_claims(verified)],
        "folders": _folders(audit),
    }


def _summary(audit: Audit) -> str:
    by_severity = Counter(finding.severity for finding in audit.findings)
    counted = ", ".join(f"{number} {severity}" for severity, number in sorted(by_severity.items()))
    findings = count(len(audit.findings), "finding") + (f" ({counted})" if counted else "")
    return (
        f"{count(audit.files, 'file')} and {count(len(audit.checks), 'check')}: {findings}, "
        f"{len(audit.ticketed)} accepted, {len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at."
    )


def _findings_by_severity(audit: Audit, tickets: Iterable[Ticket]) -> list[dict[str, object]]:
    # Of two tickets with one fingerprint, the link goes to the one that is not fixed.
    fixed_first = sorted(tickets, key=lambda ticket: ticket.status is not Status.FIXED)
    by_fingerprint = {ticket.fingerprint: ticket for ticket in fixed_first if ticket.fingerprint}
    groups: dict[str, list[Row]] = {}
    for finding in audit.findings:
        row = _finding(finding, by_fingerprint.get(finding.fingerprint))
        groups.setdefault(finding.severity, []).append(row)
    return [{"severity": severity, "findings": groups[severity]} for severity in sorted(groups)]


def _finding(finding: Finding, ticket: Ticket | None) -> Row:
    return {
        "ticket": f"[{ticket.id}](tickets/{ticket.id}.md)" if ticket else "",
        "check": code(finding.check),
        "where": _place(finding.location),
        "message": cell(finding.message) + _probe_evidence(finding),
        "impact": cell(finding.impact.words) if finding.impact else "",
    }


def _probe_evidence(finding: Finding) -> str:
    if not finding.probed:
        return ""
    units = listed([code(evidence.unit) for evidence in finding.probed])
    return f" ({finding.standing} by {units})"


def _place(location: Location) -> str:
    line = code(f"{location.path}:{location.line}")
    return f"{line} {code(location.symbol)}" if location.symbol else line


def _claims_row(verified: VerifiedTicket) -> Row:
    ticket, assessment = verified.ticket, verified.assessment
    answers = Counter(answered.reply.answer for answered in verified.claims)
    surprises = [code(a.claim.id) for a in verified.claims if not a.is_expected]
    return {
        "ticket": f"[{ticket.id}](tickets/{ticket.id}.md)",
        "status": ticket.status,
        "answers": ", ".join(f"{answers[answer]} {answer}" for answer in Answer if answers[answer]),
        "severity": _severity(verified),
        "assessment": assessment if assessment is Assessment.AS_EXPECTED else f"**{assessment}**",
        "surprises": ", ".join(surprises),
    }


def _severity(verified: VerifiedTicket) -> str:
    proposal = verified.proposal
    if proposal:
        return f"{verified.ticket.severity}, {proposal.severity} proposed ({proposal.why})"
    return verified.ticket.severity + (", manifest" if verified.is_manifest else "")


def _assessments(verified: Sequence[VerifiedTicket]) -> list[Row]:
    """Return the legend of the assessments that the table of claims contains."""
    present = {one.assessment for one in verified}
    return [
        {"name": assessment, "meaning": MEANING[assessment]}
        for assessment in Assessment
        if assessment in present
    ]


def _authorised(suppressed: Suppressed) -> Row:
    suppression = suppressed.suppression
    return {
        "check": code(suppressed.finding.check),
        "where": _place(suppressed.finding.location),
        "reason": cell(suppression.reason),
        "owner": cell(suppression.owner) or f"{suppression.origin} comment",
        "until": suppression.until or "",
    }


def _probes(audit: Audit) -> dict[str, object] | None:
    """Return the rows of the probes that ran.

    None where none did.
    """
    tallies = tally(audit.records)
    if not tallies:
        return None
    contracts = {record.probe: record.contract for record in audit.records}
    subjects: dict[str, set[str]] = {}
    for record in audit.records:
        if record.verdict is not Verdict.NOT_APPLICABLE:
            subjects.setdefault(record.probe, set()).add(record.subject)
    return {
        "rows": [
            {
                "probe": probe,
                "contract": contracts[probe],
                "subjects": len(subjects[probe]),
                "units": tally_text(counts),
            }
            for probe, counts in tallies.items()
        ],
        "undecided": [
            f"{record.verdict}: {code(record.unit)}: {cell(record.message)}"
            for record in undecided_records(audit.records)
        ],
    }


def _not_looked_at(audit: Audit, catalogue: CheckCatalogue) -> list[str]:
    lines = [cell(problem.sentence()) for problem in audit.not_analysed]
    lines += [f"Check {code(check)} is off." for check in audit.off]
    lines += [
        f"{code(pattern)} is excluded by the configuration." for pattern in catalogue.excluded
    ]
    if not audit.records:
        lines.append("No probe has run.")
    return lines


def _unverified_claims(verified: Sequence[VerifiedTicket]) -> list[str]:
    return [
        cell(f"Claim {answered.claim.id} of {one.ticket.id}: {answered.reply.evidence}")
        for one in verified
        for answered in one.claims
        if answered.reply.answer is Answer.CANNOT_TELL
    ]


def _folders(audit: Audit) -> list[dict[str, object]]:
    counts = Counter(path.split("/")[0] if "/" in path else "." for path in audit.checked)
    return [{"name": code(name), "files": number} for name, number in sorted(counts.items())]
