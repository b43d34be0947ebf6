"""Reading a report as tickets: one for each finding, for each other recommendation, and for the report itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.form import order_extras
from esper_audit.tickets.markdown_import.document.document import Document, DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    TICKET_ID,
    date_in,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.report_findings import findings_in, recommendations_in
from esper_audit.tickets.markdown_import.report_subjects import (
    IGNORED_WORDS,
    ReportSubject,
    dependencies_between,
    subjects_of,
)
from esper_audit.tickets.markdown_import.report_tables import take_table_findings
from esper_audit.tickets.markdown_import.sections.description import read_description
from esper_audit.tickets.markdown_import.sections.metadata import read_metadata
from esper_audit.tickets.markdown_import.sections.outcome import initial_history
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import files_in, is_covered_by, place_text
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin, TicketIdentity
from esper_audit.tickets.markdown_import.ticket_reader import ImportedTicket, read_ticket
from esper_audit.tickets.parts import AsWritten, Extra, Related, Relation, TicketLocation
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

SEVERITY_REASON = "a report: its findings carry the severities"


def is_report(document: Document) -> bool:
    """Return whether a document is a report, with findings and without a ticket id."""
    metadata = read_metadata(document, [])
    has_metadata = any(
        words(section.title) == words(FormPart.METADATA.value) for section in document.sections
    )
    has_id = "id" in metadata.own or TICKET_ID.search(document.title) is not None
    if has_metadata or has_id:
        return False
    has_section = next(findings_in(document.sections), None) is not None
    return has_section or bool(take_table_findings(document.sections)[1])


def read_report(
    document: Document,
    origin: DocumentOrigin,
    paths: PathMap,
    is_free: Callable[[str, str], bool] = lambda *_: True,
) -> list[ImportedTicket]:
    """Return the tickets of a report, its own first.

    Their ids are made of the report's title and date, and of the number of the finding, without a
    number of the first words of its name. The title gives two words, and more if another report has this
    id, which `is_free` returns for an id and the name of the report.
    """
    return _ReportReader(document, origin, paths, is_free).tickets()


class _ReportReader:
    """The parts of a report that its tickets are made from."""

    def __init__(
        self,
        document: Document,
        origin: DocumentOrigin,
        paths: PathMap,
        is_free: Callable[[str, str], bool],
    ) -> None:
        self._document = document
        self._origin = origin
        self._paths = paths
        self._created = date_in(read_metadata(document, []).get("created"))
        self._title = one_line(document.title) or origin.stem
        self._id = self._prefix(is_free)
        sections, in_tables = take_table_findings(document.sections)
        found = list(findings_in(sections))
        rows = list(recommendations_in(document.sections))
        findings = [*(finding for _, finding in found), *in_tables]
        self._subjects = subjects_of(findings, rows, self._id)
        self._links = dependencies_between(document.sections, self._subjects)
        self._rest = _without(sections, [section for section, _ in found])

    def tickets(self) -> list[ImportedTicket]:
        """Return every ticket, the report's own first."""
        subjects = self._subjects
        read = [ImportedTicket(self._ticket(one), _contradictions(one)) for one in subjects]
        return [self._own_ticket(), *read]

    def _prefix(self, is_free: Callable[[str, str], bool]) -> str:
        title = [word.upper() for word in words(self._title).split() if word not in IGNORED_WORDS]
        stem = words(self._origin.stem).upper().split()
        title = title or stem or ["REPORT"]
        date = self._created.replace("-", "")
        taken = [title[:count] for count in range(min(2, len(title)), len(title) + 1)]
        for chosen in (*taken, [*title, *stem]):
            prefix = "-".join(filter(None, ["DD", *chosen, date]))
            if is_free(prefix, self._origin.name):
                return prefix
        return prefix

    def _ticket(self, subject: ReportSubject) -> Ticket:
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
            history=initial_history(Status.OPEN, self._created, "found by the report"),
            as_written=[*described.as_written, *_words_as_written(subject, places)],
            extra=order_extras([*described.extra, *_cells(subject)]),
        )

    def _related(self, subject: ReportSubject) -> list[Related]:
        blocks = [target for source, target in self._links if source == subject.id]
        blocked_by = [source for source, target in self._links if target == subject.id]
        return [
            *(Related(id=other, relation=Relation.BLOCKS) for other in blocks),
            *(Related(id=other, relation=Relation.BLOCKED_BY) for other in blocked_by),
            Related(id=self._id, relation=Relation.RELATED),
        ]

    def _own_ticket(self) -> ImportedTicket:
        """Return the ticket of the report itself: all text but the findings, and links to their tickets."""
        imported = read_ticket(
            msgspec.structs.replace(self._document, sections=tuple(self._rest)),
            msgspec.structs.replace(self._origin, folder=""),
            self._paths,
            TicketIdentity(self._id, self._title, []),
        )
        links = [Related(id=one.id, relation=Relation.RELATED) for one in self._subjects]
        ticket = imported.ticket
        is_stated = not ticket.severity_reason
        severity = ticket.severity if is_stated else Severity.P4
        own = msgspec.structs.replace(
            ticket,
            severity=severity,
            proposed_severity=severity,
            severity_reason="" if is_stated else SEVERITY_REASON,
            source="",
            report=ticket.report or self._origin.name,
            related=[*ticket.related, *links],
        )
        return msgspec.structs.replace(imported, ticket=own)


def _words_as_written(subject: ReportSubject, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the names, places and severities of the report that the fields of the ticket do not contain."""
    found = []
    where = subject.places[0]
    if (
        subject.finding is not None
        and subject.finding.severity_words.upper() != subject.severity.value
    ):
        found.append(
            AsWritten(field="severity", where="heading", words=subject.finding.severity_words)
        )
    if where and not is_covered_by(where, ", ".join(map(place_text, places))):
        found.append(AsWritten(field="location", where="Location", words=one_line(where)))
    for row in subject.recommended:
        if row.name != subject.title:
            found.append(AsWritten(field="title", where=row.heading, words=row.name))
        if row.where and row.where != where:
            found.append(AsWritten(field="location", where=row.heading, words=row.where))
    return found


def _cells(subject: ReportSubject) -> list[Extra]:
    """Return the cells of a finding in a table that no field takes."""
    cells = subject.finding.cells if subject.finding else ()
    return [Extra(section=FormPart.METADATA.value, row=name, text=text) for name, text in cells]


def _contradictions(subject: ReportSubject) -> list[str]:
    finding = subject.finding
    if finding is None or finding.severity is subject.severity:
        return []
    source = subject.recommended[0].heading
    return [
        f"severity: {subject.severity} is kept ({source}), the heading states {finding.severity_words}"
    ]


def _without(
    sections: Sequence[DocumentSection], removed: Sequence[DocumentSection]
) -> list[DocumentSection]:
    """Return sections without the removed ones, at any level."""
    return [
        msgspec.structs.replace(section, children=tuple(_without(section.children, removed)))
        for section in sections
        if not any(section is other for other in removed)
    ]
