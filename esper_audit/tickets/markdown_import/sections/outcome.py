"""What became of a ticket: every statement about it weighed, and the resolution where it has ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import one_line, without_markup
from esper_audit.tickets.markdown_import.sections.metadata import Metadata
from esper_audit.tickets.markdown_import.sections.resolution import (
    ResolutionSection,
    read_resolution,
)
from esper_audit.tickets.markdown_import.terms.headings import FormPart, heading_meaning
from esper_audit.tickets.markdown_import.terms.statuses import (
    StatedStatus,
    StatusDecision,
    StatusPlace,
    decide_status,
    folder_status,
    read_status,
)
from esper_audit.tickets.parts import AsWritten, Change, Extra, Resolution
from esper_audit.tickets.states import RESOLVED, ResolutionKind, Status

IMPORTER = "ticket import"


class TicketOutcome(msgspec.Struct, frozen=True):
    """The status, the resolution if there is one, the words for both, and what contradicts itself."""

    status: Status
    why: str
    resolution: Resolution | None
    text: str
    contradiction: str
    as_written: list[AsWritten]
    extra: list[Extra]


def read_outcome(
    sections: Sequence[DocumentSection],
    notes: Sequence[DocumentSection],
    metadata: Metadata,
    folder: str,
    elsewhere: Sequence[StatedStatus],
) -> TicketOutcome:
    """Weigh what the resolution, the head, closing notes and the folder say."""
    whole = _join_sections(sections)
    ending = read_resolution(whole, _heading_rest(sections)) if whole else None
    noted = [read_resolution(note, _heading_rest([note])).said for note in notes]
    places = [
        (StatusPlace.RESOLUTION, ending.said if ending else ""),
        (StatusPlace.ROW, metadata.other.get("resolution", "")),
        *((StatusPlace.NOTES, said) for said in noted),
        (StatusPlace.HEAD, metadata.get("status")),
    ]
    statements = [said for place, text in places if text and (said := read_status(place, text))]
    filed = folder_status(folder)
    statements += [*elsewhere, *([filed] if filed else [])]
    decision = decide_status(statements, ending.hint if ending else None)
    extra: list[Extra] = []
    resolution = _resolution(ending, decision, statements)
    if ending is not None and resolution is None and whole is not None:
        extra = [Extra(section=_title(sections), text=text_of(whole.nodes))]
    text = text_of([*(whole.nodes if whole else ()), *(node for n in notes for node in n.nodes)])
    written = _status_words(metadata.get("status"), filed, decision)
    return TicketOutcome(
        status=decision.status,
        why=decision.why,
        resolution=resolution,
        text=text,
        contradiction=decision.contradiction,
        as_written=written,
        extra=extra,
    )


def initial_history(status: Status, date: str, why: str) -> list[Change]:
    """Return the history of a ticket that an import brings in; none where no date is known."""
    return [Change(date=date, by=IMPORTER, after=status.value, why=one_line(why))] if date else []


def _join_sections(sections: Sequence[DocumentSection]) -> DocumentSection | None:
    """Return the sections of the resolution as one."""
    if not sections:
        return None
    blocks = tuple(block for section in sections for block in section.blocks)
    children = tuple(child for section in sections for child in section.children)
    if not (blocks or children):
        return None
    return msgspec.structs.replace(sections[-1], blocks=blocks, children=children)


def _title(sections: Sequence[DocumentSection]) -> str:
    own = any(section.title == FormPart.RESOLUTION.value for section in sections)
    return FormPart.RESOLUTION.value if own else sections[-1].title


def _heading_rest(sections: Sequence[DocumentSection]) -> str:
    """Return what the heading adds (`Resolution: Won't Fix`)."""
    names = [heading_meaning(section.title) for section in sections]
    return next((name.rest for name in names if name and name.rest), "")


def _resolution(
    ending: ResolutionSection | None, decision: StatusDecision, statements: Sequence[StatedStatus]
) -> Resolution | None:
    if decision.status not in RESOLVED:
        return None
    kind = decision.kind or ResolutionKind(decision.status.value)
    if ending is None:
        said = any(s.place is StatusPlace.ROW and s.status in RESOLVED for s in statements)
        return Resolution(kind=kind, evidence="") if said else None
    words = without_markup(ending.said)
    return Resolution(
        kind=kind,
        as_written="" if words.lower() == kind.value else one_line(ending.said),
        evidence=ending.evidence,
        claims=ending.claims,
        commits=ending.commits,
        sign_off=ending.sign_off,
    )


def _status_words(
    head: str, filed: StatedStatus | None, decision: StatusDecision
) -> list[AsWritten]:
    """Return the statements that are kept in words: those that are not the status itself.

    Where statements contradict each other the folder's is kept whatever it says: no page shows it.
    """
    said = [("head", head)] if without_markup(head).lower() != decision.status.value else []
    if filed and (decision.contradiction or filed.text != decision.status.value):
        said.append(("folder", filed.text))
    return [
        AsWritten(field="status", where=where, words=one_line(text)) for where, text in said if text
    ]
