"""The content of `audit.md`, section by section in the order of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.findings.finding import Suppressed
from esper_audit.findings.probe_record import Verdict, tally, tally_text, undecided_records
from esper_audit.reports.audit.audited_project import AuditedProject
from esper_audit.reports.audit.cause_rows import (
    cause_section,
    first_row,
    legend,
    ticket_link,
)
from esper_audit.reports.audit.claims_section import (
    assessments,
    claims_row,
    claims_sentence,
    is_surprising,
    unverified_claims,
)
from esper_audit.reports.audit.contract_matrix import contract_matrix
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, code, count
from esper_audit.tickets.ticket import Ticket

Row = dict[str, str]
MOST_URGENT = 5  # causes that the page names first


def audit_page(project: AuditedProject) -> dict[str, object]:
    """Return the content of the page, ready to print."""
    audit, catalogue = project.audit, project.catalogue
    verified, links = project.verified, project.links
    return {
        "summary": summary_sentence(audit),
        "cells": project.cells,
        "first": [first_row(cause, links) for cause in project.causes[:MOST_URGENT]],
        "causes": [
            cause_section(cause, project.ticket_of, links, catalogue) for cause in project.causes
        ],
        "words": legend(audit.findings),
        "matrix": contract_matrix(project.states, audit, catalogue),
        "accepted": [_accepted(one, project.tickets, links) for one in audit.ticketed],
        "further_tickets": _further_tickets(project.tickets_without_finding),
        "claims": claims_sentence(verified),
        "surprises": [claims_row(one) for one in verified if is_surprising(one)],
        "assessments": assessments(verified),
        "authorised": [_authorised(suppressed, links) for suppressed in audit.suppressed],
        "probes": _probes(audit),
        "not_looked_at": [*_not_looked_at(audit, catalogue), *unverified_claims(verified)],
        "folders": _folders(audit),
    }


def summary_sentence(audit: Audit) -> str:
    """Return what was looked at, and what was found."""
    by_severity = Counter(finding.severity for finding in audit.findings)
    counted = ", ".join(
        f"{number:,} {severity}" for severity, number in sorted(by_severity.items())
    )
    findings = count(len(audit.findings), "finding") + (f" ({counted})" if counted else "")
    units = sum(record.verdict is not Verdict.NOT_APPLICABLE for record in audit.records)
    probed = f", {count(units, 'unit')} probed" if audit.records else ", no probe has run"
    return (
        f"{count(audit.files, 'file')}, {count(len(audit.checks), 'check')}{probed}: {findings}, "
        f"{len(audit.ticketed)} accepted, {len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at."
    )


def _accepted(one: Ticketed, tickets: Mapping[str, Ticket], links: SourceLinks) -> Row:
    resolution = tickets[one.ticket].resolution if one.ticket in tickets else None
    return {
        "ticket": f"[{one.ticket}](tickets/{one.ticket}.md)",
        "status": one.status,
        "where": links.place(one.finding.location),
        "message": cell(one.finding.message),
        "reason": cell(resolution.evidence) if resolution else "",
    }


def _further_tickets(tickets: Iterable[Ticket]) -> list[Row]:
    """Return a row for each ticket, the most severe first."""
    return [
        {
            "ticket": ticket_link(ticket),
            "status": ticket.status,
            "severity": ticket.severity,
            "title": cell(ticket.title),
        }
        for ticket in sorted(tickets, key=lambda ticket: (ticket.severity, ticket.id))
    ]


def _authorised(suppressed: Suppressed, links: SourceLinks) -> Row:
    suppression = suppressed.suppression
    return {
        "check": code(suppressed.finding.check),
        "where": links.place(suppressed.finding.location),
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
    lines += [
        f"{reason}: {', '.join(map(code, checks))}."
        for reason, checks in _checks_off(audit, catalogue).items()
    ]
    lines += [
        f"{code(pattern)} is excluded by the configuration." for pattern in catalogue.excluded
    ]
    if not audit.records:
        lines.append("No probe has run: the configuration names no `subjects`.")
    return lines


def _checks_off(audit: Audit, catalogue: CheckCatalogue) -> dict[str, list[str]]:
    """Return the checks that are off, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for check in audit.off:
        kind = catalogue.check(check)
        if kind.contract in audit.not_adopted:
            reason = "Off, as the configuration does not adopt their policy"
        elif not kind.default:
            reason = "Off unless the configuration selects them"
        else:
            reason = "Off by the configuration"
        by_reason.setdefault(reason, []).append(check)
    return dict(sorted(by_reason.items()))


def _folders(audit: Audit) -> list[dict[str, object]]:
    counts = Counter(path.split("/")[0] if "/" in path else "." for path in audit.checked)
    return [{"name": code(name), "files": number} for name, number in sorted(counts.items())]
