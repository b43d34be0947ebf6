"""The rows of the audit page for findings by cause: what to do first, then every finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from esper_audit.findings.finding import Finding
from esper_audit.reports.audit.causes import (
    MEANING_OF_EVIDENCE,
    MEANING_OF_OCCURRENCE,
    Cause,
)
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.reports.finding_groups import FindingGroup, fold_equal
from esper_audit.reports.repair import instruction_in
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, code, listed
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

Row = dict[str, str]
MOST_UNITS = 3  # that a cell names


def tickets_by_fingerprint(tickets: Iterable[Ticket]) -> dict[str, Ticket]:
    """Return the ticket of each fingerprint, of two the one that is not fixed."""
    fixed_first = sorted(tickets, key=lambda ticket: ticket.status is not Status.FIXED)
    return {ticket.fingerprint: ticket for ticket in fixed_first if ticket.fingerprint}


def repair(cause: Cause) -> str:
    """Return what to do about a cause: the command that repairs it, or what its first message tells."""
    if not cause.fixable:
        return (
            f"{instruction_in(cause.first.message)} See `esper-audit rule {cause.check}`.".lstrip()
        )
    edits = [finding.edit for finding in cause.findings if finding.edit is not None]
    option = "--fix" if all(edit.safe for edit in edits) else "--fix --unsafe-fixes"
    number = "all" if len(edits) == len(cause.findings) else f"{len(edits)} of them"
    return f"`esper-audit check --select {cause.check} {option}` repairs {number}."


def first_row(cause: Cause, links: SourceLinks) -> Row:
    """Return the row of a cause in the table of what to do first."""
    return {
        "cause": f"[{cell(cause.title)}](#findings-of-{cause.check})",
        "severity": cause.severity,
        "number": f"{len(cause.findings):,}",
        "where": links.place(cause.first.location),
        "repair": repair(cause).replace("|", "\\|"),
    }


def cause_section(
    cause: Cause,
    by_fingerprint: Mapping[str, Ticket],
    links: SourceLinks,
    catalogue: CheckCatalogue,
) -> dict[str, object]:
    """Return the section of a cause, with a row for equal findings of a file."""
    folded = fold_equal(cause.findings)
    contract = catalogue.contracts[cause.contract]
    return {
        "check": cause.check,
        "title": cell(cause.title),
        "contract": cause.contract,
        "statement": contract.statement,
        "repair": repair(cause) if cause.fixable else "",
        "rows": [_finding_row(group, by_fingerprint, links) for group in folded],
    }


def _finding_row(
    group: FindingGroup, by_fingerprint: Mapping[str, Ticket], links: SourceLinks
) -> Row:
    """Return the row of equal findings of a file, with a link to each of them and to its ticket."""
    finding, path = group.first, group.first.location.path
    others = [links.number(path, other.location.line) for other in group.others]
    found = [
        ticket
        for one in (finding, *group.others)
        if (ticket := by_fingerprint.get(one.fingerprint)) is not None
    ]
    return {
        "severity": finding.severity,
        "where": ", ".join([links.place(finding.location), *others]),
        "message": cell(finding.message) + _probe_evidence(finding),
        "impact": cell(finding.impact.words) if finding.impact else "",
        "tickets": ", ".join(dict.fromkeys(map(ticket_link, found))),
    }


def ticket_link(ticket: Ticket) -> str:
    """Return a link to the page of a ticket."""
    return f"[{ticket.id}](tickets/{ticket.id}.md)"


def _probe_evidence(finding: Finding) -> str:
    if not finding.probed:
        return ""
    units = [code(evidence.unit) for evidence in finding.probed]
    others = len(units) - MOST_UNITS
    shown = [*units[:MOST_UNITS], f"{others} more"] if others > 0 else units
    return f" ({finding.standing} by {listed(shown)})"


def legend(findings: Sequence[Finding]) -> list[Row]:
    """Return the legend of the words on impact and evidence that the findings use."""
    impacts = {finding.impact.reality for finding in findings if finding.impact}
    evidence = {finding.standing for finding in findings if finding.probed}
    words: dict[str, str] = {}
    words |= {one: text for one, text in MEANING_OF_OCCURRENCE.items() if one in impacts}
    words |= {one: text for one, text in MEANING_OF_EVIDENCE.items() if one in evidence}
    return [{"word": word, "meaning": meaning} for word, meaning in words.items()]
