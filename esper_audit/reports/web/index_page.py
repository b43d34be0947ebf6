"""The content of `index.html`: plain rows for the script of the page, one JSON text a line, and the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from esper_audit.findings.contract import Contract
from esper_audit.findings.coverage import ClassCoverage, Stage
from esper_audit.findings.finding import Finding, NotAnalysed, first_of_lines
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.reports.audit.audit_page import summary_sentence
from esper_audit.reports.audit.audited_project import AuditedProject
from esper_audit.reports.audit.causes import MEANING_OF_EVIDENCE, MEANING_OF_OCCURRENCE
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.reports.contract_states import ContractStates
from esper_audit.reports.deep_dive.grades import area_grades
from esper_audit.reports.web.rounded_numbers import reading_text
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.ticket import Ticket

Row = dict[str, object]
# In a script element these could end it, or are line ends to a parser of JavaScript.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def index_page(project: AuditedProject) -> dict[str, object]:
    """Return the content of the page without its pictures."""
    audit, contracts, links = project.audit, project.catalogue.contracts, project.links
    grades = area_grades(project.states, contracts, audit)
    rows: list[Row] = [
        *(_finding(one, project.ticket_of, links) for one in audit.findings),
        *(_ticket(one, links) for _, one in sorted(project.tickets.items())),
        *_claims(project.verified),
        *(_contract(one, contracts[one.id]) for one in project.states),
        *(_probe(one) for one in audit.records if one.verdict is not Verdict.NOT_APPLICABLE),
        *(_class(one, links) for one in (audit.coverage.classes if audit.coverage else ())),
        *(_unseen(one) for one in audit.not_analysed),
    ]
    return {
        "summary": summary_sentence(audit),
        "cells": project.cells,
        "grades": [(grade.area, grade.letter) for grade in grades],
        "words": json_line(_words()),
        "rows": [json_line(row) for row in rows],
    }


def json_line(value: object) -> str:
    """Return JSON on one line that cannot end the script element around it."""
    text = msgspec.json.encode(value).decode()
    return "".join(ESCAPES.get(character, character) for character in text)


def _words() -> dict[str, str]:
    impact = {occurrence.value: text for occurrence, text in MEANING_OF_OCCURRENCE.items()}
    return {**impact, **{level.value: text for level, text in MEANING_OF_EVIDENCE.items()}}


def _finding(finding: Finding, tickets: Mapping[str, Ticket], links: SourceLinks) -> Row:
    at, ticket = finding.location, tickets.get(finding.fingerprint)
    return {
        "kind": "finding",
        "id": finding.fingerprint,
        "severity": finding.severity,
        "check": finding.check,
        "contract": finding.contract,
        "path": at.path,
        "line": at.line,
        "symbol": at.symbol,
        "href": links.target(at.path, at.line),
        "message": finding.message,
        "standing": finding.standing,
        "impact": finding.impact.reality if finding.impact else "",
        "impact_words": finding.impact.words if finding.impact else "",
        "ticket": ticket.id if ticket else "",
        "status": ticket.status if ticket else "",
        "code": finding.excerpt,
        "first_line": finding.excerpt_line,
        "fix": finding.edit.description if finding.edit else "",
        "probed": [
            {
                "unit": one.unit,
                "verdict": one.verdict,
                "message": one.message,
                "table": [[str(cell) for cell in row] for row in one.table],
                "reproducer": one.reproducer,
            }
            for one in finding.probed
        ],
    }


def _ticket(ticket: Ticket, links: SourceLinks) -> Row:
    place = ticket.locations[0] if ticket.locations else None
    lines = place.lines if place else ""
    return {
        "kind": "ticket",
        "id": ticket.id,
        "severity": ticket.severity,
        "status": ticket.status,
        "title": ticket.title,
        "check": ticket.check,
        "contract": ticket.contract,
        "path": place.path if place else "",
        "lines": lines,
        "href": links.target(place.path, first_of_lines(lines)) if place else "",
        "summary": ticket.summary,
        "why": ticket.why_it_matters,
        "page": f"tickets/{ticket.id}.md",
        "resolution": ticket.resolution.evidence if ticket.resolution else "",
        "blocks": [f"{one.relation} {one.id}" for one in ticket.related],
    }


def _claims(verified: Iterable[VerifiedTicket]) -> Iterator[Row]:
    for one in verified:
        for answered in one.claims:
            yield {
                "kind": "claim",
                "ticket": one.ticket.id,
                "id": answered.claim.id,
                "answer": answered.reply.answer,
                "expected": answered.is_expected,
                "evidence": answered.reply.evidence,
                "places": list(answered.reply.places),
                "table": [[str(cell) for cell in row] for row in answered.reply.table],
            }


def _contract(states: ContractStates, contract: Contract) -> Row:
    return {
        "kind": "contract",
        "id": contract.id,
        "statement": contract.statement,
        "why": contract.why,
        "category": contract.category,
        "rules": states.by_rules or "no rule",
        "probes": states.by_probes or "no probe",
        "checks": [*states.rules, *states.probes],
    }


def _unseen(problem: NotAnalysed) -> Row:
    return {"kind": "unseen", "what": problem.sentence()}


def _probe(record: ProbeRecord) -> Row:
    return {
        "kind": "probe",
        "id": record.unit,
        "probe": record.probe,
        "contract": record.contract,
        "subject": record.subject,
        "state": record.state,
        "verdict": record.verdict,
        "message": "" if record.verdict is Verdict.PASS else record.message,
        "numbers": {one.detector: reading_text(one) for one in record.numbers},
    }


def _class(one: ClassCoverage, links: SourceLinks) -> Row:
    return {
        "kind": "class",
        "id": one.name,
        "stage": one.stage,
        "origin": one.origin if one.has_reached(Stage.BUILT) else "",
        "path": one.path,
        "line": one.line,
        "href": links.target(one.path, one.line),
        "reason": one.reason,
        "advice": one.advice,
    }
