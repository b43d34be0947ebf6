"""Tickets in a table of comma-separated values: an export of Jira or of another tracker."""

from __future__ import annotations

import calendar
import csv
import io
import re
from collections.abc import Mapping, Sequence

from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.text.markdown import count
from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.importing.foreign_record import ForeignRecord, numbered, safe_id
from esper_audit.tickets.importing.tracker_json import status_in
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    date_in,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.terms.categories import categories_in, in_form_order
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import LocationCells, places_of
from esper_audit.tickets.markdown_import.terms.severities import severity_in
from esper_audit.tickets.parts import TicketLocation
from esper_audit.tickets.states import RESOLVED

COLUMNS = {
    "id": "issue key, key, id, ticket id, issue id, ticket, number, iid, issue number, no",
    "title": "summary, title, name, subject, issue, short description, headline",
    "body": "description, details, body, text, problem, what",
    "status": "status, state, ticket status",
    "severity": "priority, severity, sev, prio, urgency",
    "created": "created, created at, date created, opened, reported on, date, created at utc, created date",
    "updated": "updated, updated at, last updated, modified, updated at utc, last modified",
    "closed": "resolved, closed, closed at, date resolved, closed at utc, resolution date, closed date",
    "resolution": "resolution, disposition, close reason",
    "assignee": "assignee, assigned to, owner, assignee s",
    "agent": "reporter, reported by, author, creator, raised by, opened by",
    "domain": "component s, component, components, area, module, subsystem, project name",
    "batch": "sprint, milestone, fix version s, fix versions, iteration, version",
    "categories": "issue type, type, category, categories, kind, labels, label, tags",
    "files": "file, files, path, location, file s",
    "lines": "line, lines, line s, line number",
    "symbols": "function, class, symbol, function class, method",
}
COLUMN_OF = by_name(COLUMNS)
SEVERAL = frozenset({"categories", "domain", "batch"})
MONTHS = {name: f"{number:02}" for number, name in enumerate(calendar.month_abbr) if number}
DAY_MONTH_YEAR = re.compile(r"(\d{1,2})[/ .-]([A-Za-z]{3})[a-z]*[/ .,-]+(\d{4}|\d{2})\b")
MONTH_DAY_YEAR = re.compile(r"([A-Za-z]{3})[a-z]* (\d{1,2}),? (\d{4})")
YEAR_FIRST = re.compile(r"\b(\d{4})/(\d{1,2})/(\d{1,2})\b")
DELIMITERS = (",", ";", "\t", "|")
Row = list[tuple[str, str, str]]


def csv_records(
    text: str, stem: str, paths: PathMap, columns: Mapping[str, str]
) -> tuple[list[ForeignRecord], list[str]]:
    """Return the records of a table, and what is not read, by kind.

    `columns` gives the header of a field where the header has no known name.

    Raises TicketError for a table without a title in its header, UsageError for a field or header that is
    unknown.
    """
    rows = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    header = [cell.strip().removeprefix("\ufeff") for cell in rows[0]] if rows else []
    fields = _fields(header, columns)
    if "title" not in fields:
        named = ", ".join(header[:12]) or "nothing"
        wanted = columns.get("title", "Summary, Title or Subject")
        expected = f"{wanted}, or --column title=HEADER"
        raise TicketError(
            f"line 1: CSV without a column of titles (got {named}; expected {expected})"
        )
    records, untitled = [], 0
    for number, row in enumerate(rows[1:], 1):
        cells = list(zip(fields, header, row, strict=False))
        if any(cell.strip() for cell in row):
            record = _record(cells, stem, number, paths)
            untitled += record is None
            records += [record] if record else []
    return numbered(records), [f"{count(untitled, 'row')} without a title"] if untitled else []


def _fields(header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Return the field of each column, empty for one without field."""
    given = {}
    for field, name in columns.items():
        if field not in COLUMNS:
            raise UsageError(f"--column: unknown field '{field}'{did_you_mean(field, COLUMNS)}")
        matching = [cell for cell in header if words(cell) == words(name)]
        given.update(dict.fromkeys(matching, field))
    found: list[str] = []
    for cell in header:
        field = given.get(cell) or COLUMN_OF.get(words(cell), "")
        is_taken = field in found and field not in SEVERAL
        is_given = field in given.values() and cell not in given
        found.append("" if is_taken or is_given else field)
    return found


def _record(cells: Row, stem: str, number: int, paths: PathMap) -> ForeignRecord | None:
    values = {field: text.strip() for field, _, text in reversed(cells) if field}
    several = {
        field: [text.strip() for name, _, text in cells if name == field and text.strip()]
        for field in SEVERAL
    }
    title = one_line(values.get("title", ""))
    if not title:
        return None
    status, kind = status_in(values.get("status", ""), values.get("resolution", ""))
    dates = {name: date_of(values.get(name, "")) for name in ("created", "updated", "closed")}
    own = values.get("id", "") or str(number)
    return ForeignRecord(
        id=safe_id(own) if re.search(r"[A-Za-z]", own) else safe_id(words(stem).upper(), own),
        title=title,
        body=values.get("body", ""),
        status=status,
        kind=kind,
        resolution=f"resolved as {values['resolution']}" if values.get("resolution") else "",
        severity=severity_in(values.get("severity", "")),
        created=dates["created"],
        updated=dates["updated"],
        closed=dates["closed"] if status in RESOLVED else "",
        assignee=values.get("assignee", ""),
        agent=values.get("agent", ""),
        domain=", ".join(several["domain"]),
        batch=", ".join(several["batch"]),
        categories=tuple(
            in_form_order(c for one in several["categories"] for c in categories_in(one))
        ),
        places=_places(values, paths),
        rows=_rows(cells, several["categories"], dates),
        notes=_comments(cells),
        words=_words(values),
    )


def _rows(
    cells: Row, labels: Sequence[str], dates: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return the cells without field, the labels, and the dates that cannot be read."""
    return (
        *((name, text) for field, name, text in cells if not field and not _is_comment(name)),
        *([("Labels", ", ".join(labels))] if labels else []),
        *((name, text) for field, name, text in cells if field in dates and not dates[field]),
    )


def _comments(cells: Row) -> tuple[tuple[str, str], ...]:
    texts = [
        text for field, name, text in cells if not field and _is_comment(name) and text.strip()
    ]
    return (("Comments", "\n\n".join(texts)),) if texts else ()


def _is_comment(name: str) -> bool:
    return words(name).startswith("comment")


def _words(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the words of the status, the severity and the files."""
    status = " ".join(filter(None, [values.get("status", ""), values.get("resolution", "")]))
    return (
        ("status", status),
        ("severity", values.get("severity", "")),
        *([("location", values["files"])] if values.get("files") else []),
    )


def _places(values: Mapping[str, str], paths: PathMap) -> tuple[TicketLocation, ...]:
    cells = LocationCells(
        values.get("files", ""), values.get("lines", ""), values.get("symbols", "")
    )
    return tuple(places_of(cells, paths))


def date_of(text: str) -> str:
    """Return the date in a text, empty without one or where day and month cannot be told apart."""
    found = date_in(text)
    if found:
        return found
    if match := DAY_MONTH_YEAR.search(text):
        day, name, year = match.groups()
    elif match := MONTH_DAY_YEAR.search(text):
        name, day, year = match.groups()
    elif match := YEAR_FIRST.search(text):
        year, name, day = match.groups()
    else:
        return ""
    month = MONTHS.get(name.capitalize(), name.zfill(2))
    return date_in(f"{year if len(year) == 4 else f'20{year}'}-{month}-{day.zfill(2)}")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(DELIMITERS, key=first.count)
