"""The content of a ticket's page, section by section, in the layout that `ticket import` reads.

Every field has one place. Text of a form that belongs to no field is printed in its section, after the
fields. Original words (`as_written`) for the location are printed in its rows, the others in the appendix.
"""

from __future__ import annotations

from typing import TypeAlias

from esper_audit.reports.ticket_sections import (
    appendix_texts,
    claims_texts,
    description_texts,
    fix_texts,
    history_texts,
    original_words,
    related_texts,
    resolution_texts,
    verification_texts,
)
from esper_audit.text.markdown import code, inline_code, labelled, markdown_cell, table
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
    """Return what the template prints in addition to the ticket itself."""
    extra = {name: FormSection(name) for name in KNOWN} | sections(ticket.extra)
    return {
        "preamble": _texts(extra[""]),
        "metadata": [*_metadata(ticket), *_rows(extra[METADATA])],
        "location": [*_location(ticket), *_rows(extra[LOCATION])],
        "other_locations": _other_locations(ticket),
        "summary": "" if ticket.check and ticket.title in ticket.summary else ticket.summary,
        "categories": [
            {"name": name, "mark": "x" if category in ticket.categories else " "}
            for category, name in CATEGORY_NAMES.items()
        ],
        "more": {name: _own(extra[name]) for name in (METADATA, LOCATION, SUMMARY)},
        "below": {name: _headed(extra[name]) for name in (METADATA, LOCATION, SUMMARY)},
        "description": _around(extra[DESCRIPTION], description_texts(ticket)),
        "fixes": _around(extra[FIX], fix_texts(ticket)),
        "verification": _around(extra[VERIFICATION], verification_texts(ticket)),
        "related": [*related_texts(ticket), *_texts(extra[RELATED])],
        "reviews": [_review(review) for review in ticket.reviews],
        "others": [
            {"name": section.name, "texts": _texts(section)}
            for section in extra.values()
            if section.name not in KNOWN
        ],
        "claims": claims_texts(ticket),
        "resolution": [*resolution_texts(ticket), *_texts(extra[RESOLUTION])],
        "history": [*history_texts(ticket), *_texts(extra[HISTORY])],
        "appendix": _around(extra[APPENDIX], appendix_texts(ticket)),
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
    return _page_rows(rows, ticket)


def _page_rows(rows: dict[str, str], ticket: Ticket) -> list[Row]:
    """Return rows of the form, without the empty ones for a ticket that a run wrote."""
    return [
        {"name": name, "value": value} for name, value in rows.items() if value or not ticket.check
    ]


def _location(ticket: Ticket) -> list[Row]:
    words = original_words(ticket)
    first = _in_rows(ticket)
    rows = {
        "File(s)": words.get("files") or code(first.path if first else ""),
        "Line(s)": words.get("lines") or code(first.lines if first else ""),
        "Function/Class": words.get("symbols") or code(first.symbol if first else ""),
    }
    return _page_rows({name: markdown_cell(value) for name, value in rows.items()}, ticket)


def _other_locations(ticket: Ticket) -> list[str]:
    """Return the further locations, unless the original words name all of them."""
    are_named = bool({"files", "lines", "symbols"} & original_words(ticket).keys())
    with_note = [place for place in ticket.locations if place.note]
    others = ticket.locations[1:] if _in_rows(ticket) else ticket.locations
    return [_place(place) for place in (with_note if are_named else others)]


def _in_rows(ticket: Ticket) -> TicketLocation | None:
    """Return the location that the rows show: the first, unless it has a note, which has no row."""
    return next((place for place in ticket.locations[:1] if not place.note), None)


def _place(place: TicketLocation) -> str:
    where = f"{place.path}:{place.lines}" if place.lines else place.path
    parts = [inline_code(where), inline_code(place.symbol)]
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
    """Return the text of a section that belongs to no field: its own, then that below headings."""
    return [*_own(section), *_headed(section)]


def _around(section: FormSection, texts: list[str]) -> list[str]:
    """Return a section whose fields are below headings.

    Its own text precedes them.
    """
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
