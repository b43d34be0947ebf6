"""The kinds of files that an import reads: Markdown, JSON, SARIF, tables and lists of things to do."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.importing.analyser_json import analyser_records, results_in
from esper_audit.tickets.importing.csv_table import csv_records
from esper_audit.tickets.importing.foreign_record import NO_RESPONSE, ForeignRecord, ticket_of
from esper_audit.tickets.importing.sarif import sarif_records
from esper_audit.tickets.importing.todo_list import is_todo_list, todo_records
from esper_audit.tickets.importing.tracker_json import issues_in, records_of_issues
from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.markdown_import.document.document import read_document
from esper_audit.tickets.markdown_import.report import is_report, read_report
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.markdown_import.ticket_reader import ImportedTicket, read_ticket
from esper_audit.tickets.ticket import Ticket

TEXTS = (".md", ".markdown", ".txt")
JSON_FILES = (".json", ".jsonl", ".ndjson", ".sarif")
TABLES = (".csv", ".tsv")
SUFFIXES = (*TEXTS, *JSON_FILES, *TABLES)
KINDS = (
    "`runs` (SARIF), a list of issues with `title` and `number` or `body` (GitHub, GitLab), `issues` with `key` and "
    "`fields` (Jira), or results with a message and a file (an analyser)"
)
SHOWN = 8
IsFree = Callable[[str, str], bool]
Records = tuple[list[ForeignRecord], list[str]]


class ReadFile(msgspec.Struct, frozen=True):
    """The tickets of a file, and what is not read of it, by kind.

    `text` is what the tickets must hold.
    """

    tickets: Sequence[ImportedTicket]
    text: str
    unread: Sequence[str] = ()


def read_file(
    text: str,
    origin: DocumentOrigin,
    paths: PathMap,
    is_free: IsFree = lambda *_: True,
    columns: Mapping[str, str] | None = None,
) -> ReadFile:
    """Return the tickets of the text of a file.

    `columns` maps fields to headers of a table. `is_free` returns whether an id belongs to no report of another name.

    Raises TicketError for a file of no known kind.
    """
    suffix = f".{origin.name.rpartition('.')[2].lower()}"
    if suffix in JSON_FILES:
        return _foreign(_json_records(text, origin, paths), origin, paths)
    if suffix in TABLES:
        try:
            records = csv_records(text, origin.stem, paths, columns or {})
        except csv.Error as error:
            raise TicketError(f"CSV that cannot be read: {error}") from error
        return _foreign(records, origin, paths)
    try:
        return ReadFile(read_tickets(text, origin, paths, is_free), text)
    except TicketError:
        if not is_todo_list(text, origin.stem):
            raise
        read = _foreign(todo_records(text, origin.stem, paths), origin, paths)
        lost = missing_text(text, [one.ticket for one in read.tickets])
        return msgspec.structs.replace(read, unread=lost)


def read_tickets(
    text: str,
    origin: DocumentOrigin,
    paths: PathMap,
    is_free: IsFree = lambda *_: True,
) -> list[ImportedTicket]:
    """Return the tickets of a text in Markdown.

    `is_free` returns whether an id belongs to no report of another name.

    Raises TicketError if it is not a ticket or report.
    """
    document = read_document(text)
    if is_report(document):
        return [_validated(imported) for imported in read_report(document, origin, paths, is_free)]
    return [_validated(read_ticket(document, origin, paths))]


def _json_records(text: str, origin: DocumentOrigin, paths: PathMap) -> Records:
    content = _json(text)
    if isinstance(content, dict) and isinstance(content.get("runs"), list):
        return sarif_records(content, paths)
    issues = issues_in(content)
    if issues:
        return records_of_issues(issues)
    results = results_in(content)
    if results:
        return analyser_records(results, origin.stem, paths)
    raise TicketError(f"JSON without {KINDS} (got {_shape(content)})")


def _json(text: str) -> object:
    """Return the content of a JSON document, or the list of its lines."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise TicketError("JSON that is nested too deeply") from error
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            found: list[object] = [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            raise TicketError(f"invalid JSON: {error}") from error
        if not found:
            raise TicketError("an empty file") from error
        return found


def _shape(content: object) -> str:
    """Return what a JSON document is, in words."""
    if isinstance(content, list):
        first = content[0] if content else None
        return f"a list of {_shape(first)}" if content else "an empty list"
    if isinstance(content, dict):
        keys = [f"`{key}`" for key in list(content)[:SHOWN]]
        return f"an object with {', '.join(keys)}" if keys else "an empty object"
    return type(content).__name__


def _foreign(records: Records, origin: DocumentOrigin, paths: PathMap) -> ReadFile:
    found, unread = records
    if not found:
        raise TicketError("; ".join(["nothing to import", *unread]))
    tickets = [_validated(ImportedTicket(ticket_of(one, origin, paths), [])) for one in found]
    lost = [
        f"{one.id}: {piece}"
        for one, read in zip(found, tickets, strict=True)
        for piece in missing_text(NO_RESPONSE.sub("", one.body), [read.ticket])
    ]
    return ReadFile(tickets, "", [*unread, *lost])


def _validated(imported: ImportedTicket) -> ImportedTicket:
    """Return a ticket whose fields have their types.

    Raises TicketError with the invalid field.
    """
    try:
        msgspec.convert(msgspec.to_builtins(imported.ticket), Ticket)
    except msgspec.ValidationError as error:
        raise TicketError(f"{imported.ticket.id}: {error}") from error
    return imported


def kinds_of(names: Sequence[str]) -> Iterator[str]:
    """Yield how many files of each suffix there are."""
    suffixes = [f".{name.rpartition('.')[2]}" if "." in name else "no suffix" for name in names]
    for suffix in sorted(set(suffixes)):
        yield f"{suffixes.count(suffix)} {suffix}"
