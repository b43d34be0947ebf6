"""From a document to a ticket: every section to its reader, and everything that no reader takes to `extra`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.tickets.form import order_extras
from esper_audit.tickets.markdown_import.document.document import Document
from esper_audit.tickets.markdown_import.document.inline_values import ID
from esper_audit.tickets.markdown_import.section_sorting import Parts
from esper_audit.tickets.markdown_import.sections.appendix import read_appendix, read_history
from esper_audit.tickets.markdown_import.sections.description import read_description
from esper_audit.tickets.markdown_import.sections.fixes import read_fixes
from esper_audit.tickets.markdown_import.sections.location import read_location
from esper_audit.tickets.markdown_import.sections.metadata import read_head, read_metadata
from esper_audit.tickets.markdown_import.sections.outcome import ended, first_line
from esper_audit.tickets.markdown_import.sections.related import read_related
from esper_audit.tickets.markdown_import.sections.repeated_values import (
    severities_elsewhere,
    statuses_elsewhere,
)
from esper_audit.tickets.markdown_import.sections.reviews import reviews_of
from esper_audit.tickets.markdown_import.sections.summary import read_summary
from esper_audit.tickets.markdown_import.sections.verification import read_verification
from esper_audit.tickets.markdown_import.terms.categories import categories_in
from esper_audit.tickets.markdown_import.terms.headings import Part
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import Cells
from esper_audit.tickets.markdown_import.terms.severities import disagreement, revised_in
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin, Identity, identified
from esper_audit.tickets.parts import AsWritten, Extra
from esper_audit.tickets.ticket import Ticket

# The page prints these where they stood; the others stand in the appendix.
IN_PLACE = ("files", "lines", "symbols", "why_it_matters")


class Form(msgspec.Struct, frozen=True):
    """A ticket as it was read, and what its document says twice, differently."""

    ticket: Ticket
    contradictions: list[str]


def read_form(
    document: Document, origin: DocumentOrigin, paths: PathMap, known_as: Identity | None = None
) -> Form:
    """Read a document as a ticket; raises TicketError naming what is missing where it is none.

    `known_as` says which ticket it is, where the document itself does not.
    """
    read = _Readings(document, origin, paths, known_as)
    again = [
        *severities_elsewhere(document.sections),
        *revised_in(read.end.text, "the resolution"),
    ]
    told = [
        read.end.contradiction,
        disagreement(read.head.severity, again),
        _name_and_id(origin, read.identity.id),
    ]
    return Form(read.ticket(), [sentence for sentence in told if sentence])


def _name_and_id(origin: DocumentOrigin, found: str) -> str:
    """Return what is wrong where the file's name holds another id than the ticket."""
    named = ID.match(origin.stem)
    is_other = named is not None and not origin.stem.startswith(found)
    return f"id: {found} is kept, the file is called {origin.name}" if is_other else ""


class _Readings:
    """What every reader makes of its part of the document."""

    def __init__(
        self, document: Document, origin: DocumentOrigin, paths: PathMap, known_as: Identity | None
    ) -> None:
        self.parts = Parts(document.sections)
        of = self.parts.of
        self.metadata = read_metadata(document, of(Part.METADATA))
        other = self.metadata.other
        self.head = read_head(self.metadata)
        self.summary = read_summary(of(Part.SUMMARY))
        named = Cells(*(other.get(name, "") for name in ("files", "lines", "symbols")))
        self.location = read_location(of(Part.LOCATION), paths, named)
        self.description = read_description(of(Part.DESCRIPTION))
        self.fix = read_fixes(of(Part.FIX))
        self.verification = read_verification(of(Part.VERIFICATION))
        self.related = read_related(of(Part.RELATED))
        self.reviews = reviews_of(self.parts.reviews)
        again = statuses_elsewhere(document.sections)
        self.end = ended(of(Part.RESOLUTION), self.parts.notes, self.metadata, origin.folder, again)
        self.history = read_history(of(Part.HISTORY))
        self.appendix = read_appendix(of(Part.APPENDIX))
        signs = {
            "severity": not self.head.severity_reason,
            "status": bool(self.metadata.get("status")),
            "location": bool(self.location.places),
            "description": bool(self.description.wrong),
            "summary": bool(self.summary.sentence),
        }
        self.identity = known_as or identified(
            document, self.metadata, origin, self.summary.sentence, signs
        )
        self._name = origin.name

    def ticket(self) -> Ticket:
        """Return everything as one record."""
        named = self.metadata.other
        sentence = self.summary.sentence or named.get("summary", "") or self.identity.title
        wrong = self.description.wrong
        reported = self.appendix.source or self.appendix.report
        day = self.head.dates["updated"] or self.head.dates["created"]
        history = self.history.changes or first_line(self.end.status, day, self.end.why)
        return Ticket(
            id=self.identity.id,
            title=self.identity.title,
            status=self.end.status,
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
            resolution=self.end.resolution,
            source=self.appendix.source if reported else f"imported from {self._name}",
            report=self.appendix.report,
            section=self.appendix.section,
            history=history,
            as_written=self._written(),
            extra=self._extra(),
        )

    def _written(self) -> list[AsWritten]:
        """Return the document's own words: those printed in place, those of a page of ours, new ones."""
        found = [
            *self.identity.as_written,
            *self.end.as_written,
            *self.head.as_written,
            *self.location.as_written,
            *self.description.as_written,
            *self.summary.as_written,
            *self.reviews.as_written,
            *self.parts.as_written,
        ]
        in_place = [word for word in found if word.field in IN_PLACE and not word.where]
        return _once([*in_place, *self.appendix.as_written, *found])

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
                *self.parts.extra,
                *self.end.extra,
                *self.history.extra,
                *self.appendix.extra,
            ]
        )


def _once(words: Iterable[AsWritten]) -> list[AsWritten]:
    kept: list[AsWritten] = []
    for word in words:
        if word not in kept:
            kept.append(word)
    return kept
