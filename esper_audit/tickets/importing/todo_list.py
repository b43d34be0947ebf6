"""Lists of things to do: boxes in Markdown, lines that begin with TODO, and the format of `todo.txt`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.findings.finding import Severity
from esper_audit.tickets.form import METADATA
from esper_audit.tickets.importing.foreign_record import ForeignRecord, numbered, safe_id
from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import (
    DocumentSection,
    read_document,
)
from esper_audit.tickets.markdown_import.document.inline_values import (
    TICKET_ID,
    date_in,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import files_in
from esper_audit.tickets.parts import TicketLocation
from esper_audit.tickets.states import ResolutionKind, Status

NAMED = re.compile(r"\b(?:todos?|to ?do|backlog|tasks?|fixme)\b", re.IGNORECASE)
MARK = re.compile(r"^(?:[-*+]\s+)?(?:TODO|FIXME|XXX|HACK|BUG)\b(?:\([^)]*\))?\s*[:\-–]?\s*(?=\S)")
TODO_TXT = re.compile(
    r"^(?P<done>x )?(?:\((?P<level>[A-Z])\) )?(?P<dates>(?:\d{4}-\d{2}-\d{2} ){0,2})(?P<text>\S.*)"
)
FORM = re.compile(rf"^#+ {METADATA}\s*$", re.MULTILINE)
LEVELS = dict(zip("ABCDE", Severity, strict=True))
PRIORITY = re.compile(r"(?<![\w-])[\[(]?(P[0-4])[\])]?(?![\w-])|^!{1,3}\s")
PLACE = re.compile(
    r"`?(?<![\w/])[\w./-]*\w\.(?:py|pyi|md|toml|ya?ml|c|h|cpp|rs|js|ts)(?::\d+(?:-\d+)?)?`?"
)
LEAST_ITEMS = 2


class Item(NamedTuple):
    """A thing to do: its text, whether it is done (None without a box), and the heading above.

    `level` is the severity of its letter and `line` the whole line in the format of `todo.txt`.
    """

    text: str
    done: bool | None
    above: str = ""
    level: Severity | None = None
    line: str = ""


def is_todo_list(text: str, stem: str) -> bool:
    """Return whether a text is a list of things to do, by its name or because its lists have boxes.

    Neither a form of a ticket nor a template is one: their boxes are choices.
    """
    if FORM.search(text) or "template" in words(stem).split():
        return False
    items = list(_items(text, stem))
    boxed = sum(item.done is not None for item in items)
    marked = sum(bool(MARK.match(line)) for line in text.splitlines())
    if NAMED.search(words(stem)):
        return bool(items)
    return max(boxed, marked) >= LEAST_ITEMS and 2 * max(boxed, marked) >= len(items)


def todo_records(text: str, stem: str, paths: PathMap) -> tuple[list[ForeignRecord], list[str]]:
    """Return a record for each thing to do, and the text that belongs to none."""
    records = [_record(item, paths) for item in _items(text, stem)]
    return numbered(records), []


def _items(text: str, stem: str) -> Iterator[Item]:
    lines = [line for line in text.splitlines() if line.strip()]
    if words(stem) in ("todo", "done") and not any(
        line.startswith(("#", "-", "*", " ")) for line in lines
    ):
        for line in lines:
            match = TODO_TXT.match(line)
            if match:
                level = LEVELS.get(match["level"] or "")
                yield Item(match["text"], bool(match["done"]), level=level, line=line)
        return
    document = read_document(text)
    yield from _items_of(document.preamble, document.sections, "")


def _items_of(
    blocks: Sequence[MarkdownBlock], sections: Sequence[DocumentSection], above: str
) -> Iterator[Item]:
    for block in blocks:
        if block.kind is BlockKind.LIST:
            yield from (
                Item(item.text, item.done, above) for item in block.items if item.text.strip()
            )
        lines = block.lines if block.kind is BlockKind.PARAGRAPH else ()
        matches = [match for line in lines if (match := MARK.match(line))]
        yield from (Item(match.string[match.end() :], False, above) for match in matches)
    for section in sections:
        heading = f"{above} / {section.title}" if above else section.title
        yield from _items_of(section.blocks, section.children, heading)


def _record(item: Item, paths: PathMap) -> ForeignRecord:
    done, above = item.done, item.above
    text = MARK.sub("", item.text, count=1)
    first, _, rest = text.partition("\n")
    stated = PRIORITY.search(first)
    level = (stated[1] or "P1") if stated else ""
    own = TICKET_ID.match(first)
    places = tuple(
        TicketLocation(path=paths.here(path), lines=lines)
        for path, lines, _ in files_in(
            ", ".join(f"`{m[0].strip('`')}`" for m in PLACE.finditer(text))
        )
    )
    status = Status.FIXED if done else Status.OPEN
    return ForeignRecord(
        id=own[0] if own else safe_id("TODO", *words(first).upper().split()[:4]),
        title=one_line(first),
        body=textwrap.dedent(rest).strip("\n"),
        status=status,
        kind=ResolutionKind.FIXED if done else None,
        resolution="ticked in the list" if done else "",
        severity=Severity(level) if level else item.level,
        created=_date(item, 1),
        closed=_date(item, 0) if done else "",
        words=(("title", item.line),),
        domain=one_line(above),
        places=places,
    )


def _date(item: Item, number: int) -> str:
    """Return a date at the beginning of a line of `todo.txt`: of its end, of its creation."""
    match = TODO_TXT.match(item.line)
    dates = match["dates"].split() if match else []
    dates = dates if item.done else ["", *dates]
    return date_in(dates[number]) if number < len(dates) else ""
