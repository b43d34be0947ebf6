"""What `audit.md` says: the matrix of contracts, findings by severity, exceptions, and what was not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from esper_audit.claims.reply import Answer
from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import Contract
from esper_audit.findings.finding import Finding, Location, Suppressed
from esper_audit.findings.probe_record import (
    ProbeRecord,
    Verdict,
    tally,
    tally_text,
    undecided_records,
)
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.probe_catalogue import ProbeDescription
from esper_audit.text.markdown import cell, code, count, listed
from esper_audit.tickets.assessment import MEANING, Assessment, VerifiedTicket
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket


def claims_page(verified: Sequence[VerifiedTicket]) -> dict[str, object]:
    """Return the rows of the table of claims, the meaning of what stands in it, and what was not told."""
    standings = {one.standing for one in verified}
    return {
        "verified": [_claims_row(one) for one in verified],
        "standings": [
            {"standing": standing, "meaning": MEANING[standing]}
            for standing in Assessment
            if standing in standings
        ],
        "not_told": [
            cell(f"claim {asked.claim.id} of {one.ticket.id}: {asked.reply.evidence}")
            for one in verified
            for asked in one.asked
            if asked.reply.answer is Answer.CANNOT_TELL
        ],
    }


def _claims_row(verified: VerifiedTicket) -> dict[str, str]:
    ticket, standing = verified.ticket, verified.standing
    answers = Counter(asked.reply.answer for asked in verified.asked)
    surprises = [code(asked.claim.id) for asked in verified.asked if not asked.is_as_expected]
    return {
        "ticket": f"[{ticket.id}](tickets/{ticket.id}.md)",
        "status": ticket.status,
        "answers": ", ".join(f"{answers[answer]} {answer}" for answer in Answer if answers[answer]),
        "severity": _severity(verified),
        "standing": standing if standing is Assessment.AS_EXPECTED else f"**{standing}**",
        "surprises": ", ".join(surprises),
    }


def _severity(verified: VerifiedTicket) -> str:
    proposal = verified.proposal
    if proposal:
        return f"{verified.ticket.severity}, {proposal.severity} proposed ({proposal.why})"
    return verified.ticket.severity + (", manifest" if verified.is_manifest else "")


def probe_verdict(contract: str, probes: list[str], audit: Audit) -> str:
    """Say what running modules tells of a contract; "holds" only if every promise was decided."""
    if not probes:
        return "no probe"
    records = [r for r in audit.records if r.contract == contract]
    made = [r for r in records if r.verdict is not Verdict.NOT_APPLICABLE]
    if not made:
        return "not applicable: nobody promises it" if audit.records else "not looked at"
    return _verdict(made)


def _verdict(made: list[ProbeRecord]) -> str:
    counts = Counter(record.verdict for record in made)
    kept, broken = counts[Verdict.PASS], counts[Verdict.FAIL] + counts[Verdict.UNEXPECTED_PASS]
    open_ = counts[Verdict.INCONCLUSIVE] + counts[Verdict.BLOCKED_BY] + counts[Verdict.NO_VERDICT]
    if broken:
        said = f"**broken**: {broken} of [{len(made)}](#probes)"
    elif kept:
        said = f"holds in [{count(kept, 'unit')}](#probes)"
    else:
        said = "nothing shown"
    expected = counts[Verdict.EXPECTED_FAIL]
    said += f", {expected} expected to fail" if expected else ""
    return f"{said}, not looked at in {open_}" if open_ else said


def probes_section(audit: Audit) -> dict[str, object] | None:
    """Return the rows of the probes that ran; None where none did."""
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


class MatrixRow(msgspec.Struct, frozen=True):
    """A contract in the matrix."""

    contract: str
    statement: str
    rule: str
    probe: str
    why: str
    checks: str
    tickets: str


def audit_page(
    audit: Audit, tickets: Mapping[str, Ticket], handbook: CheckCatalogue
) -> dict[str, object]:
    """Return the content of the page, ready to print."""
    standing_last = sorted(tickets.values(), key=lambda ticket: ticket.status is not Status.FIXED)
    by_identity = {ticket.fingerprint: ticket for ticket in standing_last if ticket.fingerprint}
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


def _row(contract: Contract, audit: Audit, handbook: CheckCatalogue) -> MatrixRow:
    of_it = [check for check in handbook.checks.values() if check.contract == contract.id]
    probes = sorted(check.id for check in of_it if issubclass(check, ProbeDescription))
    rules = sorted(check.id for check in of_it if not issubclass(check, ProbeDescription))
    checks = [*rules, *probes]
    return MatrixRow(
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


def _not_looked_at(audit: Audit, handbook: CheckCatalogue) -> list[str]:
    lines = [cell(problem.sentence()) for problem in audit.not_analysed]
    lines += [f"check {code(check)} is off" for check in audit.off]
    lines += [f"{code(pattern)} is excluded by configuration" for pattern in handbook.excluded]
    if not audit.records:
        lines.append("No probe has run.")
    return lines or ["Everything was."]


def _folders(audit: Audit) -> list[dict[str, object]]:
    counts = Counter(path.split("/")[0] if "/" in path else "." for path in audit.checked)
    return [{"name": code(name), "files": number} for name, number in sorted(counts.items())]
