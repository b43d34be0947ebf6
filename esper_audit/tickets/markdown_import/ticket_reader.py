"""Reading a document as a ticket: each section by its reader, all other text into `extra`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.tickets.form import order_extras
from esper_audit.tickets.markdown_import.document.document import Document
from esper_audit.tickets.markdown_import.document.inline_values import TICKET_ID
from esper_audit.tickets.markdown_import.form_sections import FormSections
from esper_audit.tickets.markdown_import.repeated_values import (
    severities_elsewhere,
    statuses_elsewhere,
)
from esper_audit.tickets.markdown_import.sections.appendix import read_appendix, read_history
from esper_audit.tickets.markdown_import.sections.description import read_description
from esper_audit.tickets.markdown_import.sections.fixes import read_fixes
from esper_audit.tickets.markdown_import.sections.location import read_location
from esper_audit.tickets.markdown_import.sections.metadata import read_head, read_metadata
from esper_audit.tickets.markdown_import.sections.outcome import initial_history, read_outcome
from esper_audit.tickets.markdown_import.sections.related import read_related
from esper_audit.tickets.markdown_import.sections.reviews import read_reviews
from esper_audit.tickets.markdown_import.sections.summary import read_summary
from esper_audit.tickets.markdown_import.sections.verification import read_verification
from esper_audit.tickets.markdown_import.terms.categories import categories_in
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import LocationCells
from esper_audit.tickets.markdown_import.terms.severities import (
    revised_severities,
    severity_contradiction,
)
from esper_audit.tickets.markdown_import.ticket_id import (
    DocumentOrigin,
    TicketIdentity,
    identify_ticket,
)
from esper_audit.tickets.parts import AsWritten, Change, Extra
from esper_audit.tickets.ticket import Ticket

# The page prints these in their rows, the others in the appendix.
IN_PLACE = ("files", "lines", "symbols", "why_it_matters")


class ImportedTicket(msgspec.Struct, frozen=True):
    """A ticket of a document, and the contradictions between the values that the document states."""

    ticket: Ticket
    contradictions: list[str]


def read_ticket(
    document: Document,
    origin: DocumentOrigin,
    paths: PathMap,
    identity: TicketIdentity | None = None,
) -> ImportedTicket:
    """Return the ticket of a document.

    Raises TicketError with the missing parts if it is not a ticket.

    `identity` is the id and title to use instead of those of the document.
    """
    read = _TicketReader(document, origin, paths, identity)
    severities = [
        *severities_elsewhere(document.sections),
        *revised_severities(read.outcome.text, "the resolution"),
    ]
    contradictions = [
        read.outcome.contradiction,
        severity_contradiction(read.head.severity, severities),
        _id_contradiction(origin, read.identity.id),
    ]
    return ImportedTicket(read.ticket(), [sentence for sentence in contradictions if sentence])


def _id_contradiction(origin: DocumentOrigin, ticket_id: str) -> str:
    """Return the contradiction if the file name holds another id than the ticket."""
    named = TICKET_ID.match(origin.stem)
    is_other = named is not None and not origin.stem.startswith(ticket_id)
    return f"id: {ticket_id} is kept, the file name is {origin.name}" if is_other else ""


class _TicketReader:
    """The result of every section's reader."""

    def __init__(
        self,
        document: Document,
        origin: DocumentOrigin,
        paths: PathMap,
        identity: TicketIdentity | None,
    ) -> None:
        self.sections = FormSections(document.sections)
        of = self.sections.of
        self.metadata = read_metadata(document, of(FormPart.METADATA))
        other = self.metadata.other
        self.head = read_head(self.metadata)
        self.summary = read_summary(of(FormPart.SUMMARY))
        named = LocationCells(*(other.get(name, "") for name in ("files", "lines", "symbols")))
        self.location = read_location(of(FormPart.LOCATION), paths, named)
        self.description = read_description(of(FormPart.DESCRIPTION))
        self.fix = read_fixes(of(FormPart.FIX))
        self.verification = read_verification(of(FormPart.VERIFICATION))
        self.related = read_related(of(FormPart.RELATED))
        self.reviews = read_reviews(self.sections.reviews)
        statuses = statuses_elsewhere(document.sections)
        self.outcome = read_outcome(
            of(FormPart.RESOLUTION), self.sections.notes, self.metadata, origin.folder, statuses
        )
        self.history = read_history(of(FormPart.HISTORY))
        self.appendix = read_appendix(of(FormPart.APPENDIX))
        present = {
            "severity": not self.head.severity_reason,
            "status": bool(self.metadata.get("status")),
            "location": bool(self.location.places),
            "description": bool(self.description.wrong),
            "summary": bool(self.summary.sentence),
        }
        self.identity = identity or identify_ticket(
            document, self.metadata, origin, self.summary.sentence, present
        )
        self._name = origin.name

    def ticket(self) -> Ticket:
        """Return the ticket."""
        named = self.metadata.other
        sentence = self.summary.sentence or named.get("summary", "") or self.identity.title
        wrong = self.description.wrong
        reported = self.appendix.source or self.appendix.report
        history = self._history()
        return Ticket(
            id=self.identity.id,
            title=self.identity.title,
            status=self.outcome.status,
            severity=self.head.severity,
            proposed_severity=self.head.severity,
            severity_reason=self.head.severity_reason,
            created=self.head.dates["created"],
            updated=self.head.dates["updated"] or (history[-1].date if history else ""),
            domain=self.head.free["domain"],
            batch=self.head.free["batch"],
            agent=self.head.free["agent"],
            assignee=self.head.free["assignee"],
            categories=self.summary.categories or categories_in(named.get("category", "")),
            locations=self.location.places,
            summary=sentence,
            description="" if wrong == sentence else wrong,
            why_it_matters=self.description.why,
            evidence=self.description.evidence,
            fix=self.fix,
            verification=self.verification.steps,
            related=self.related.related,
            reviews=self.reviews.reviews,
            resolution=self.outcome.resolution,
            source=self.appendix.source if reported else f"imported from {self._name}",
            report=self.appendix.report,
            section=self.appendix.section,
            history=history,
            as_written=self._as_written(),
            extra=self._extra(),
        )

    def _history(self) -> list[Change]:
        """Return the history of the document, else the beginning of one on the latest date that it states."""
        dates = self.head.dates
        day = max(self.outcome.date, dates["updated"] or dates["created"])
        return self.history.changes or initial_history(self.outcome.status, day, self.outcome.why)

    def _as_written(self) -> list[AsWritten]:
        """Return the original words: first those for the rows of the page, then those of its appendix."""
        found = [
            *self.identity.as_written,
            *self.outcome.as_written,
            *self.head.as_written,
            *self.location.as_written,
            *self.description.as_written,
            *self.summary.as_written,
            *self.reviews.as_written,
            *self.sections.as_written,
        ]
        in_place = [word for word in found if word.field in IN_PLACE and not word.where]
        return _unique([*in_place, *self.appendix.as_written, *found])

    def _extra(self) -> list[Extra]:
        return order_extras(
            [
                *self.metadata.extra,
                *self.location.extra,
                *self.summary.extra,
                *self.description.extra,
                *self.verification.extra,
                *self.related.extra,
                *self.reviews.extra,
                *self.sections.extra,
                *self.outcome.extra,
                *self.history.extra,
                *self.appendix.extra,
            ]
        )


def _unique(words: Iterable[AsWritten]) -> list[AsWritten]:
    kept: list[AsWritten] = []
    for word in words:
        if word not in kept:
            kept.append(word)
    return kept
