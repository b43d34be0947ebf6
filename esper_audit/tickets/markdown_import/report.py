"""A report as a batch of tickets: one a finding, one a recommendation that is no finding, one for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.form import order_extras
from esper_audit.tickets.markdown_import.document.document import Document, DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import ID, date_in, one_line, words
from esper_audit.tickets.markdown_import.report_findings import findings_in, recommendations_in
from esper_audit.tickets.markdown_import.report_subjects import (
    SILENT,
    ReportTicket,
    links_of,
    subjects_of,
)
from esper_audit.tickets.markdown_import.sections.description import read_description
from esper_audit.tickets.markdown_import.sections.metadata import read_metadata
from esper_audit.tickets.markdown_import.sections.outcome import first_line
from esper_audit.tickets.markdown_import.terms.headings import Part
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import files_in, rendered, says_no_more
from esper_audit.tickets.markdown_import.ticket_form import Form, read_form
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin, Identity
from esper_audit.tickets.parts import AsWritten, Related, Relation, TicketLocation
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

REASON = "a report: its findings carry the severities"


def is_report(document: Document) -> bool:
    """Return whether a document is a report: it has findings, and no id of its own."""
    metadata = read_metadata(document, [])
    named = any(words(section.title) == words(Part.METADATA.value) for section in document.sections)
    has_id = "id" in metadata.own or ID.search(document.title) is not None
    return not (named or has_id) and next(findings_in(document.sections), None) is not None


def read_report(document: Document, origin: DocumentOrigin, paths: PathMap) -> list[Form]:
    """Return the tickets of a report: the report's own, then a ticket a finding or recommendation.

    Their ids follow from the report's title and date, and from the number of a finding there, or
    else the first words of its name.
    """
    return _Report(document, origin, paths).forms()


class _Report:
    """A report with what every ticket of it is made from."""

    def __init__(self, document: Document, origin: DocumentOrigin, paths: PathMap) -> None:
        self._document = document
        self._origin = origin
        self._paths = paths
        self._created = date_in(read_metadata(document, []).get("created"))
        self._title = one_line(document.title) or origin.stem
        self._id = self._prefix()
        found = list(findings_in(document.sections))
        rows = list(recommendations_in(document.sections))
        self._subjects = subjects_of([finding for _, finding in found], rows, self._id)
        self._links = links_of(document.sections, self._subjects)
        self._rest = _without(document.sections, [section for section, _ in found])

    def forms(self) -> list[Form]:
        """Return every ticket, the report's own first."""
        told = [Form(self._ticket(subject), _disagreement(subject)) for subject in self._subjects]
        return [self._own_form(), *told]

    def _prefix(self) -> str:
        said = [word.upper() for word in words(self._title).split() if word not in SILENT]
        said = said or words(self._origin.stem).upper().split() or ["REPORT"]
        return "-".join(filter(None, ["DD", *said[:2], self._created.replace("-", "")]))

    def _ticket(self, subject: ReportTicket) -> Ticket:
        described = read_description([subject.finding.body] if subject.finding else [])
        places = [
            TicketLocation(path=self._paths.here(path), symbol=symbol, lines=lines)
            for path, lines, symbol in files_in(subject.places[0])
        ]
        title = one_line(subject.title)
        return Ticket(
            id=subject.id,
            title=title,
            status=Status.OPEN,
            severity=subject.severity,
            proposed_severity=subject.severity,
            created=self._created,
            updated=self._created,
            categories=[],
            locations=places,
            summary=title,
            description="" if described.wrong == title else described.wrong,
            why_it_matters=described.why,
            evidence=described.evidence,
            fix=subject.fixes,
            related=self._related(subject),
            report=self._origin.name,
            section=f'"{subject.heading}"',
            history=first_line(Status.OPEN, self._created, "found by the report"),
            as_written=[*described.as_written, *_words(subject, places)],
            extra=order_extras(described.extra),
        )

    def _related(self, subject: ReportTicket) -> list[Related]:
        blocks = [then for first, then in self._links if first == subject.id]
        blocked_by = [first for first, then in self._links if then == subject.id]
        return [
            *(Related(id=other, relation=Relation.BLOCKS) for other in blocks),
            *(Related(id=other, relation=Relation.BLOCKED_BY) for other in blocked_by),
            Related(id=self._id, relation=Relation.RELATED),
        ]

    def _own_form(self) -> Form:
        """Return the ticket of the report itself: what it says beyond its findings, and links to these."""
        form = read_form(
            msgspec.structs.replace(self._document, sections=tuple(self._rest)),
            msgspec.structs.replace(self._origin, folder=""),
            self._paths,
            Identity(self._id, self._title, []),
        )
        links = [Related(id=one.id, relation=Relation.RELATED) for one in self._subjects]
        ticket = form.ticket
        is_stated = not ticket.severity_reason
        severity = ticket.severity if is_stated else Severity.P4
        own = msgspec.structs.replace(
            ticket,
            severity=severity,
            proposed_severity=severity,
            severity_reason="" if is_stated else REASON,
            source="",
            report=ticket.report or self._origin.name,
            related=[*ticket.related, *links],
        )
        return msgspec.structs.replace(form, ticket=own)


def _words(subject: ReportTicket, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the names, places and severities of the report that the fields do not show."""
    found = []
    where = subject.places[0]
    if subject.finding is not None and subject.finding.said.upper() != subject.severity.value:
        found.append(AsWritten(field="severity", where="heading", words=subject.finding.said))
    if where and not says_no_more(where, ", ".join(map(rendered, places))):
        found.append(AsWritten(field="location", where="Location", words=one_line(where)))
    for row in subject.recommended:
        if row.name != subject.title:
            found.append(AsWritten(field="title", where=row.heading, words=row.name))
        if row.where and row.where != where:
            found.append(AsWritten(field="location", where=row.heading, words=row.where))
    return found


def _disagreement(subject: ReportTicket) -> list[str]:
    finding = subject.finding
    if finding is None or finding.severity is subject.severity:
        return []
    by = subject.recommended[0].heading
    return [f"severity: {subject.severity} is kept ({by}), the heading says {finding.said}"]


def _without(
    sections: Sequence[DocumentSection], taken: Sequence[DocumentSection]
) -> list[DocumentSection]:
    """Return sections without some that stand in them."""
    return [
        msgspec.structs.replace(section, children=tuple(_without(section.children, taken)))
        for section in sections
        if not any(section is other for other in taken)
    ]
