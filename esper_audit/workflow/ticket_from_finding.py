"""The ticket of a finding: a new one, or a known one with the finding's present place and evidence."""

from __future__ import annotations

import difflib

import msgspec

from esper_audit.findings.finding import Edit, Finding, ProbeEvidence
from esper_audit.source.syntax.source import Source
from esper_audit.source.syntax.whole_statements import whole_statements
from esper_audit.tickets.parts import (
    Change,
    Evidence,
    EvidenceTable,
    FixOption,
    TicketImpact,
    TicketLocation,
)
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

ID_DIGITS = 8
DIFF_HEADER = 3  # two names of files and a range of lines, which move


def refresh_ticket(ticket: Ticket, finding: Finding) -> Ticket:
    """Return the ticket with the present place, evidence, impact and fix of its finding."""
    return msgspec.structs.replace(
        ticket,
        locations=_locations(finding),
        evidence=_evidence(finding),
        impact=_impact(finding),
        fix=_fixes(ticket, finding),
    )


def ticket_from_finding(finding: Finding, *, why: str, date: str) -> Ticket:
    """Return a new open ticket for a finding.

    Its id is derived from the fingerprint alone.
    """
    ticket = Ticket(
        id=f"EA-{finding.fingerprint[:ID_DIGITS]}",
        title=finding.message,
        status=Status.OPEN,
        severity=finding.severity,
        proposed_severity=finding.severity,
        created=date,
        categories=[finding.category],
        contract=finding.contract,
        check=finding.check,
        fingerprint=finding.fingerprint,
        locations=_locations(finding),
        summary=f"{finding.message} ({finding.location.symbol or finding.location.path})",
        why_it_matters=why,
        evidence=_evidence(finding),
        impact=_impact(finding),
        source="esper-audit run",
    )
    opened = Change(date=date, by="esper-audit", after=Status.OPEN, why="found by the audit")
    return msgspec.structs.replace(ticket, fix=_fixes(ticket, finding), history=[opened])


def with_whole_statements(finding: Finding, source: Source | None) -> Finding:
    """Return a finding whose excerpt begins and ends between statements, if it is of the file."""
    first, last = finding.excerpt_line, finding.excerpt_line + finding.excerpt.count("\n")
    if source is None or finding.excerpt != "".join(source.lines[first - 1 : last]).rstrip("\n"):
        return finding
    first, last = whole_statements(source, finding.location.line, first, last)
    excerpt = "".join(source.lines[first - 1 : last]).rstrip()
    return msgspec.structs.replace(finding, excerpt=excerpt, excerpt_line=first)


def _locations(finding: Finding) -> list[TicketLocation]:
    at = finding.location
    lines = str(at.line) if at.line == at.end_line else f"{at.line}-{at.end_line}"
    return [TicketLocation(path=at.path, symbol=at.symbol, lines=lines)]


def _evidence(finding: Finding) -> list[Evidence]:
    code = "\n".join(line.rstrip() for line in finding.excerpt.split("\n"))
    excerpt = Evidence(code=code, first_line=finding.excerpt_line)
    return [excerpt, *(_probed(finding, evidence) for evidence in finding.probed)]


def _probed(finding: Finding, evidence: ProbeEvidence) -> Evidence:
    """Return the evidence of a probe: a sentence, a table if it has one, and Python that reproduces it."""
    text = f"{finding.standing.capitalize()} by `{evidence.unit}`, {evidence.verdict}: {evidence.message}"
    columns, rows = evidence.table[:1], evidence.table[1:]
    table = (
        EvidenceTable(columns=[*map(str, columns[0])], rows=[*map(list, rows)]) if rows else None
    )
    return Evidence(text=text, code=evidence.reproducer, table=table)


def _impact(finding: Finding) -> TicketImpact | None:
    impact = finding.impact
    if impact is None:
        return None
    counts = {
        "calls": impact.calls,
        "passing": impact.passing,
        "omitting": impact.omitting,
        "forwarding": impact.forwarding,
        "by-name": impact.by_name,
        "test-calls": impact.test_calls,
        "tests-through": impact.tests_through,
    }
    return TicketImpact(
        reality=impact.reality,
        words=impact.words,
        counts={what: number for what, number in counts.items() if number} or None,
        hits=impact.hits,
        packages=impact.packages or None,
        tests=impact.tests,
        exported=impact.exported,
        lowered_from=impact.lowered_from,
    )


def _fixes(ticket: Ticket, finding: Finding) -> list[FixOption]:
    """Return the fix that the fixer offers now, followed by the options that were written by hand."""
    by_hand = [option for option in ticket.fix if not option.diff]
    if finding.edit is None:
        return by_hand
    how = "--fix" if finding.edit.safe else "--unsafe-fixes"
    text = f"The rule's own fixer does it: `esper-audit check {finding.location.path} {how}`."
    offered = FixOption(
        option=finding.edit.description, text=text, diff=_diff(finding, finding.edit)
    )
    return [offered, *by_hand]


def _diff(finding: Finding, edit: Edit) -> str:
    """Return the edit as the removed and added lines of the evidence.

    Where the evidence does not show the whole place of the edit, only its new text is returned.
    """
    before = finding.excerpt.split("\n")
    first, last = edit.line - finding.excerpt_line, edit.end_line - finding.excerpt_line
    if first < 0 or last >= len(before):
        return edit.text
    head, tail = before[first][: edit.column - 1], before[last][edit.end_column - 1 :]
    after = [*before[:first], *(head + edit.text + tail).split("\n"), *before[last + 1 :]]
    compared = difflib.unified_diff(before, after, n=1, lineterm="")
    return "\n".join(line.rstrip() for line in list(compared)[DIFF_HEADER:])
