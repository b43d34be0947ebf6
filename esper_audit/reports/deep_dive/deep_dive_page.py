"""The content of `deep-dive.md`, section by section in the order of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Severity
from esper_audit.findings.probe_record import Verdict, tally_text
from esper_audit.reports.audit.audit_page import summary_sentence
from esper_audit.reports.audit.audited_project import AuditedProject
from esper_audit.reports.audit.cause_rows import ticket_link
from esper_audit.reports.audit.claims_section import claims_sentence
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.reports.deep_dive.analysed_files import AnalysedFiles, about, analysed_files
from esper_audit.reports.deep_dive.change_graph import change_graph, independent_tickets
from esper_audit.reports.deep_dive.grades import NO_GRADE, area_grades, formula
from esper_audit.reports.deep_dive.open_items import (
    ItemWriter,
    OpenItem,
    in_order,
    recommendations,
)
from esper_audit.reports.deep_dive.strengths import Strength, by_rules_alone, strengths
from esper_audit.reports.deep_dive.tests_section import tests_section
from esper_audit.text.markdown import cell, code, count
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

ASSESSMENTS: Mapping[Severity, str] = {
    Severity.P0: "NEEDS WORK: a P0 finding is open",
    Severity.P1: "NEEDS WORK: a P1 finding is open",
    Severity.P2: "SOUND with targeted improvements needed",
    Severity.P3: "STRONG with minor improvements",
    Severity.P4: "STRONG with minor improvements",
}
MOST_NAMED = 20  # tickets that a sentence names
NOTHING_OPEN = "STRONG: nothing is open"


def deep_dive_page(project: AuditedProject) -> dict[str, object]:
    """Return the content of the page, ready to print."""
    audit, tickets, links = project.audit, project.tickets, project.links
    grades = area_grades(project.states, project.catalogue.contracts, audit)
    items = _open_items(project)
    held = strengths(project.states, project.catalogue.contracts, audit)
    return {
        "summary": summary_sentence(audit),
        "cells": project.cells,
        "assessment": ASSESSMENTS[items[0].severity] if items else NOTHING_OPEN,
        "without_probes": not audit.records,
        "is_partial": any(grade.letter == NO_GRADE for grade in grades),
        "grades": grades,
        "formula": formula(),
        "open": items,
        "accepted": len(audit.ticketed),
        "strengths": [one for one in held if one.units],
        "by_rules": _by_rules(held),
        "probes": _probes(audit),
        "tickets": _ticket_counts(tickets),
        "claims": claims_sentence(project.verified),
        "tests": tests_section(audit, links),
        "priorities": recommendations(items),
        "graph": change_graph(tickets),
        "independent": _independent(independent_tickets(tickets)),
        "files": [_file_row(one, links) for one in analysed_files(audit)],
    }


def _open_items(project: AuditedProject) -> list[OpenItem]:
    """Return what is open, the most severe first, findings before tickets without a finding."""
    writer = ItemWriter(project.catalogue, project.ticket_of, project.links)
    return in_order(
        [
            *map(writer.of_cause, project.causes),
            *map(writer.of_ticket, project.tickets_without_finding),
        ]
    )


def _probes(audit: Audit) -> list[dict[str, str]]:
    """Return what each probe verified: subjects, units, and those in which it holds."""
    rows = []
    for probe in sorted({record.probe for record in audit.records}):
        records = [
            record
            for record in audit.records
            if record.probe == probe and record.verdict is not Verdict.NOT_APPLICABLE
        ]
        if records:
            passed = sum(record.verdict is Verdict.PASS for record in records)
            rows.append(
                {
                    "probe": code(probe),
                    "subjects": f"{len({record.subject for record in records}):,}",
                    "passed": f"{passed:,} of {len(records):,}",
                    "others": tally_text(
                        Counter(r.verdict for r in records if r.verdict is not Verdict.PASS)
                    ),
                }
            )
    return rows


def _by_rules(held: Sequence[Strength]) -> list[dict[str, str]]:
    """Return the contracts that rules alone looked at, one row an area."""
    return [
        {
            "area": area,
            "contracts": ", ".join(
                f"[{one.contract}](audit.md#{one.contract}) ({one.rules})" for one in chosen
            ),
        }
        for area, chosen in by_rules_alone(held).items()
    ]


def _independent(tickets: Sequence[Ticket]) -> str:
    """Return which active tickets can be repaired in any order."""
    if len(tickets) > MOST_NAMED:
        return f"{len(tickets):,} other active tickets can be repaired in any order."
    named = ", ".join(map(ticket_link, tickets))
    return f"In any order: {named}." if named else ""


def _ticket_counts(tickets: Mapping[str, Ticket]) -> str:
    """Return how many tickets have which status."""
    counts = Counter(ticket.status for ticket in tickets.values())
    parts = [f"{counts[status]:,} {status}" for status in Status if counts[status]]
    return f"{count(len(tickets), 'ticket')}: {', '.join(parts)}." if parts else ""


def _file_row(one: AnalysedFiles, links: SourceLinks) -> dict[str, str]:
    return {
        "file": links.file(one.path),
        "files": f"{one.files:,}",
        "lines": f"{about(one.lines):,}",
        "findings": f"{one.findings:,}" if one.findings else "",
        "purpose": cell(one.purpose),
    }
