"""A ticket's page, section by section, in the layout of the form that experts fill in and that can be imported.

Every field has one place. What a form says beyond fields stands in its own section, behind the fields;
`as_written` words for the place stand in the rows of the location, the others in the appendix.
"""

from __future__ import annotations

from typing import TypeAlias

from esper_audit.reports.ticket_texts import (
    appendix_texts,
    claims_texts,
    description_texts,
    fix_texts,
    history_texts,
    related_texts,
    resolution_texts,
    verification_texts,
    words_in_place,
)
from esper_audit.text.markdown import code, labelled, markdown_cell, table
from esper_audit.tickets.form import (
    APPENDIX,
    CATEGORY_NAMES,
    DESCRIPTION,
    FIX,
    HISTORY,
    KNOWN,
    LOCATION,
    METADATA,
    RELATED,
    RESOLUTION,
    SUMMARY,
    VERIFICATION,
    FormSection,
    sections,
)
from esper_audit.tickets.parts import Review, TicketLocation
from esper_audit.tickets.ticket import Ticket

Row: TypeAlias = dict[str, str]


def ticket_page(ticket: Ticket) -> dict[str, object]:
    """Return what the template prints beside the ticket itself."""
    beyond = {name: FormSection(name) for name in KNOWN} | sections(ticket.extra)
    return {
        "preamble": _texts(beyond[""]),
        "metadata": [*_metadata(ticket), *_rows(beyond[METADATA])],
        "location": [*_location(ticket), *_rows(beyond[LOCATION])],
        "other_locations": _other_locations(ticket),
        "categories": [
            {"name": name, "mark": "x" if category in ticket.categories else " "}
            for category, name in CATEGORY_NAMES.items()
        ],
        "more": {name: _own(beyond[name]) for name in (METADATA, LOCATION, SUMMARY)},
        "below": {name: _headed(beyond[name]) for name in (METADATA, LOCATION, SUMMARY)},
        "description": _around(beyond[DESCRIPTION], description_texts(ticket)),
        "fixes": _around(beyond[FIX], fix_texts(ticket)),
        "verification": _around(beyond[VERIFICATION], verification_texts(ticket)),
        "related": [*related_texts(ticket), *_texts(beyond[RELATED])],
        "reviews": [_review(review) for review in ticket.reviews],
        "others": [
            {"name": section.name, "texts": _texts(section)}
            for section in beyond.values()
            if section.name not in KNOWN
        ],
        "claims": claims_texts(ticket),
        "resolution": [*resolution_texts(ticket), *_texts(beyond[RESOLUTION])],
        "history": [*history_texts(ticket), *_texts(beyond[HISTORY])],
        "appendix": _around(beyond[APPENDIX], appendix_texts(ticket)),
    }


def _metadata(ticket: Ticket) -> list[Row]:
    updated = ticket.updated or (ticket.history[-1].date if ticket.history else "")
    rows = {
        "Ticket ID": code(ticket.id),
        "Severity": code(ticket.severity),
        "Status": code(ticket.status),
        "Batch": markdown_cell(ticket.batch),
        "Agent": code(ticket.agent),
        "Domain": code(ticket.domain),
        "Assignee": markdown_cell(ticket.assignee),
        "Created": ticket.created,
        "Updated": updated,
    }
    if ticket.severity_reason:
        rows["Severity Reason"] = markdown_cell(ticket.severity_reason)
    return [{"name": name, "value": value} for name, value in rows.items()]


def _location(ticket: Ticket) -> list[Row]:
    words = words_in_place(ticket)
    first = _in_rows(ticket)
    rows = {
        "File(s)": words.get("files") or code(first.path if first else ""),
        "Line(s)": words.get("lines") or code(first.lines if first else ""),
        "Function/Class": words.get("symbols") or code(first.symbol if first else ""),
    }
    return [{"name": name, "value": markdown_cell(value)} for name, value in rows.items()]


def _other_locations(ticket: Ticket) -> list[str]:
    """Return the further places, unless the form's own words name them all."""
    words = words_in_place(ticket)
    named = {"files", "lines", "symbols"} & words.keys()
    noted = [place for place in ticket.locations if place.note]
    others = ticket.locations[1:] if _in_rows(ticket) else ticket.locations
    return [_place(place) for place in (noted if named else others)]


def _in_rows(ticket: Ticket) -> TicketLocation | None:
    """Return the location that the rows show: the first, unless it has a note, for which they have no room."""
    return next((place for place in ticket.locations[:1] if not place.note), None)


def _place(place: TicketLocation) -> str:
    where = f"{place.path}:{place.lines}" if place.lines else place.path
    parts = [code(where), code(place.symbol)]
    note = f" - {place.note}" if place.note else ""
    return " ".join(filter(None, parts)) + note


def _review(review: Review) -> dict[str, object]:
    name = review.role or review.reviewer
    rows = {
        "Verdict": markdown_cell(review.as_written) or code(review.verdict.upper()),
        "Reviewer": code(review.reviewer),
        "Date": review.date,
    }
    return {
        "heading": f"Cross-Review: {name}" if name else "Cross-Review",
        "rows": [{"name": name, "value": value} for name, value in rows.items() if value],
        "evaluation": labelled("Evaluation", review.evaluation),
    }


def _rows(section: FormSection) -> list[Row]:
    return [{"name": part.row, "value": markdown_cell(part.text)} for part in section.rows]


def _texts(section: FormSection) -> list[str]:
    """Return what a section says beyond fields: text of its own, then what stands below headings."""
    return [*_own(section), *_headed(section)]


def _around(section: FormSection, texts: list[str]) -> list[str]:
    """Return a section whose fields stand below headings: its own text goes in front of them."""
    return [*_own(section), *texts, *_headed(section)]


def _own(section: FormSection) -> list[str]:
    beside_fields = section.name in (METADATA, LOCATION)
    rows = [] if beside_fields else [[f"**{part.row}**", part.text] for part in section.rows]
    return [*([table(["Field", "Value"], rows)] if rows else []), *filter(None, [section.text])]


def _headed(section: FormSection) -> list[str]:
    return [
        text
        for part in section.headed
        for text in (f"### {part.heading}", part.text.strip("\n"))
        if text
    ]
