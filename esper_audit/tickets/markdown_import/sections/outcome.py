"""Deciding the status of a ticket from all statements about it, and reading its resolution."""

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
    """The status with its reason, the resolution, the contradiction, and the original words."""

    status: Status
    why: str
    resolution: Resolution | None
    text: str
    contradiction: str
    as_written: list[AsWritten]
    extra: list[Extra]
    date: str = ""


def read_outcome(
    sections: Sequence[DocumentSection],
    notes: Sequence[DocumentSection],
    metadata: Metadata,
    folder: str,
    elsewhere: Sequence[StatedStatus],
) -> TicketOutcome:
    """Decide the status by the resolution, the head, closing notes, the folder and `elsewhere`."""
    joined = _join_sections(sections)
    ending = read_resolution(joined, _heading_rest(sections)) if joined else None
    noted = [read_resolution(note, _heading_rest([note])).status_words for note in notes]
    places = [
        (StatusPlace.RESOLUTION, ending.status_words if ending else ""),
        (StatusPlace.ROW, metadata.other.get("resolution", "")),
        *((StatusPlace.NOTES, text) for text in noted),
        (StatusPlace.HEAD, metadata.get("status")),
    ]
    found = [read_status(place, text) for place, text in places if text]
    statements = [statement for statement in found if statement is not None]
    filed = folder_status(folder)
    statements += [*elsewhere, *([filed] if filed else [])]
    decision = decide_status(statements, ending.implied_kind if ending else None)
    extra: list[Extra] = []
    resolution = _resolution(ending, decision, statements)
    if ending is not None and resolution is None and joined is not None:
        extra = [Extra(section=_title(sections), text=text_of(joined.nodes))]
    text = text_of([*(joined.nodes if joined else ()), *(node for n in notes for node in n.nodes)])
    written = _status_words(metadata.get("status"), filed, decision)
    return TicketOutcome(
        status=decision.status,
        why=decision.why,
        resolution=resolution,
        text=text,
        contradiction=decision.contradiction,
        as_written=written,
        extra=extra,
        date=ending.date if ending and resolution else "",
    )


def initial_history(status: Status, date: str, why: str) -> list[Change]:
    """Return the first line of the history of an imported ticket, none without a date."""
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
    """Return the words after the name of the section (`Resolution: Won't Fix`)."""
    names = [heading_meaning(section.title) for section in sections]
    return next((name.rest for name in names if name and name.rest), "")


def _resolution(
    ending: ResolutionSection | None, decision: StatusDecision, statements: Sequence[StatedStatus]
) -> Resolution | None:
    if decision.status not in RESOLVED:
        return None
    kind = decision.kind or ResolutionKind(decision.status.value)
    if ending is None:
        is_stated = any(s.place is StatusPlace.ROW and s.status in RESOLVED for s in statements)
        return Resolution(kind=kind, evidence="") if is_stated else None
    words = without_markup(ending.status_words)
    return Resolution(
        kind=kind,
        as_written="" if words.lower() == kind.value else one_line(ending.status_words),
        evidence=ending.evidence,
        claims=ending.claims,
        commits=ending.commits,
        sign_off=ending.sign_off,
    )


def _status_words(
    head: str, filed: StatedStatus | None, decision: StatusDecision
) -> list[AsWritten]:
    """Return the words of the head and the folder that differ from the status.

    The folder is also kept if the statements contradict each other, because no page contains it.
    """
    found = [("head", head)] if without_markup(head).lower() != decision.status.value else []
    if filed and (decision.contradiction or filed.text != decision.status.value):
        found.append(("folder", filed.text))
    return [
        AsWritten(field="status", where=where, words=one_line(text))
        for where, text in found
        if text
    ]
