"""What is open, in priority order: the causes of findings, and the active tickets that no finding belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import dedent

import msgspec

from esper_audit.findings.finding import Finding, ProbeEvidence, Severity
from esper_audit.reports.audit.cause_rows import repair, ticket_link
from esper_audit.reports.audit.causes import MEANING_OF_EVIDENCE, MEANING_OF_OCCURRENCE, Cause
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, count, fenced, inline_code, sentence, table
from esper_audit.tickets.ticket import Ticket

MOST_SHOWN = 3  # findings of a cause with their evidence
MOST_LISTED = 12  # further places of a cause
MOST_ROWS = 8  # of a table of evidence
MOST_UNITS = 3  # probes of a finding with their evidence
PRIORITIES: Mapping[str, tuple[Severity, ...]] = {
    "Priority 1: fix soon": (Severity.P0, Severity.P1),
    "Priority 2: plan": (Severity.P2,),
    "Priority 3: when the code is touched": (Severity.P3, Severity.P4),
}


class OpenItem(msgspec.Struct, frozen=True):
    """Something open: its heading, the paragraphs of its section, and its row among the recommendations."""

    severity: Severity
    title: str
    paragraphs: list[str]
    where: str
    action: str


class ItemWriter:
    """Writes the items of one audit, whose `tickets` are by fingerprint."""

    def __init__(
        self, catalogue: CheckCatalogue, tickets: Mapping[str, Ticket], links: SourceLinks
    ) -> None:
        self._catalogue = catalogue
        self._tickets = tickets
        self._links = links

    def of_cause(self, cause: Cause) -> OpenItem:
        """Return the item of a cause: the first findings with their evidence, the places of the others."""
        contract = self._catalogue.contracts[cause.contract]
        kept = f"**Contract:** [{contract.id}](audit.md#{contract.id}): {contract.statement} {contract.why}"
        shown = [text for finding in cause.findings[:MOST_SHOWN] for text in self._finding(finding)]
        action = repair(cause)
        return OpenItem(
            severity=cause.severity,
            title=f"{cause.title} ({count(len(cause.findings), 'finding')})",
            paragraphs=[kept, *shown, *self._further(cause), f"**Recommendation:** {action}"],
            where=self._places(cause),
            action=action,
        )

    def of_ticket(self, ticket: Ticket) -> OpenItem:
        """Return the item of an active ticket without a finding."""
        places = ", ".join(self._links.file(one.path, one.lines) for one in ticket.locations[:3])
        fix = next((one for one in ticket.fix if one.option or one.text), None)
        action = " ".join(f"{fix.option} {fix.text}".split()) if fix else ""
        paragraphs = [
            f"**Ticket:** {ticket_link(ticket)}, {ticket.status}; no check reports it.",
            f"**Location:** {places}" if places else "",
            f"**Issue:** {ticket.summary}",
            f"**Impact:** {ticket.why_it_matters}" if ticket.why_it_matters else "",
            f"**Recommendation:** {fix.option} {fix.text}".rstrip() if fix else "",
        ]
        return OpenItem(
            severity=ticket.severity,
            title=ticket.title,
            paragraphs=[text for text in paragraphs if text],
            where=places,
            action=cell(_shortened(action) or f"See {ticket.id}"),
        )

    def _finding(self, finding: Finding) -> Iterator[str]:
        ticket = self._tickets.get(finding.fingerprint)
        known = f", ticket {ticket_link(ticket)}" if ticket else ""
        yield f"**Location:** {self._links.place(finding.location)}{known}"
        yield f"**Issue:** {sentence(cell(finding.message))}"
        if finding.impact:
            word, meaning = finding.impact.reality, MEANING_OF_OCCURRENCE[finding.impact.reality]
            yield f"**Impact:** {sentence(cell(finding.impact.words))} *{word}* means: {meaning}."
        lines = map(str.rstrip, finding.excerpt.split("\n"))
        yield fenced(dedent("\n".join(lines)).strip("\n"), "python")
        if finding.probed:
            yield f"**Evidence:** *{finding.standing}*, that is, {MEANING_OF_EVIDENCE[finding.standing]}."
        for evidence in finding.probed[:MOST_UNITS]:
            yield from _probe_texts(evidence)
        if len(finding.probed) > MOST_UNITS:
            others = len(finding.probed) - MOST_UNITS
            yield f"The same in {count(others, 'more unit')}."
        if finding.edit is not None:
            yield f"**Fix:** {sentence(finding.edit.description)}"

    def _further(self, cause: Cause) -> Iterator[str]:
        """Yield the places of the findings that are not shown in full."""
        others = cause.findings[MOST_SHOWN:]
        if not others:
            return
        lines = [
            f"- {self._links.place(one.location)}: {cell(one.message)}"
            for one in others[:MOST_LISTED]
        ]
        if len(others) > MOST_LISTED:
            rest = len(others) - MOST_LISTED
            lines.append(f"- {rest:,} more: [audit.md](audit.md#findings-of-{cause.check})")
        yield "**The same cause:**"
        yield "\n".join(lines)

    def _places(self, cause: Cause) -> str:
        first = self._links.line(cause.first.location.path, cause.first.location.line)
        others = len(cause.findings) - 1
        return f"{first} and {others:,} more" if others else first


def in_order(items: Sequence[OpenItem]) -> list[OpenItem]:
    """Return items by severity, those of equal severity in their order."""
    return sorted(items, key=lambda item: item.severity)


def recommendations(items: Sequence[OpenItem]) -> list[dict[str, object]]:
    """Return the items of each priority."""
    return [
        {"name": name, "open": chosen}
        for name, severities in PRIORITIES.items()
        if (chosen := [item for item in items if item.severity in severities])
    ]


def _probe_texts(evidence: ProbeEvidence) -> Iterator[str]:
    """Yield the message of a probe, its readings as a table, and Python that reproduces it."""
    yield f"{inline_code(evidence.unit)} {evidence.verdict}: {cell(evidence.message)}"
    if evidence.table:
        heads, *rows = [[str(value) for value in row] for row in evidence.table]
        yield table(heads, rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            yield f"{count(len(rows) - MOST_ROWS, 'more row')}."
    if evidence.reproducer:
        yield fenced(evidence.reproducer.rstrip(), "python")


def _shortened(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."
