"""Reading the appendix and the history of a ticket."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import paragraph_values
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_nodes
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import AsWritten, Change, Extra

REFERENCE, WRITTEN = "original report reference", "as written"
REPORT_LABELS = {"report file": "report", "section": "section", "source": "source"}
WORD_COLUMNS = ("field", "where", "words")
CHANGE_COLUMNS = ("date", "by", "from", "to", "why")


class Appendix(msgspec.Struct, frozen=True):
    """The source of the ticket, the original words that a page of the tool keeps, and all other text."""

    report: str
    section: str
    source: str
    as_written: list[AsWritten]
    extra: list[Extra]


class History(msgspec.Struct, frozen=True):
    """The changes, and all other text."""

    changes: list[Change]
    extra: list[Extra]


def read_appendix(sections: Sequence[DocumentSection]) -> Appendix:
    """Read the appendix.

    A second report and other headings become `extra`.
    """
    fields: dict[str, str] = {}
    written: list[AsWritten] = []
    extra: list[Extra] = []
    for section in sections:
        for child in section.children:
            if words(child.title) == WRITTEN and (found := _words_as_written(child)):
                written += found
            elif words(child.title) == REFERENCE:
                rest = text_of([*_unread(child.blocks, fields), *child.children])
                extra += [_appendix_extra(child, rest)] if rest else []
            else:
                extra.append(_appendix_extra(child, text_of(child.nodes)))
    blocks = [block for section in sections for block in section.blocks]
    own = unmapped_nodes(FormPart.APPENDIX, _unread(blocks, fields))
    report, source = without_markup(fields.get("report", "")), fields.get("source", "")
    return Appendix(report, fields.get("section", ""), source, written, [*own, *extra])


def read_history(sections: Sequence[DocumentSection]) -> History:
    """Read the table of changes of a page.

    Any other history becomes `extra`.
    """
    changes: list[Change] = []
    rest: list[MarkdownBlock | DocumentSection] = []
    for section in sections:
        for node in section.nodes:
            found = _changes(node) if isinstance(node, MarkdownBlock) else []
            changes += found
            rest += [] if found else [node]
    return History(changes, unmapped_nodes(FormPart.HISTORY, rest))


def _appendix_extra(child: DocumentSection, text: str) -> Extra:
    return Extra(section=FormPart.APPENDIX.value, heading=child.title, text=text)


def _unread(blocks: Sequence[MarkdownBlock], fields: dict[str, str]) -> list[MarkdownBlock]:
    """Read the first report, section and source into `fields`, and return the other blocks."""
    unread = []
    for block in blocks:
        values = paragraph_values(block) if block.kind is BlockKind.PARAGRAPH else []
        names = [REPORT_LABELS.get(words(one.label), "") for one in values]
        is_new = all(name and name not in fields for name in names)
        if not values or not is_new or len(set(names)) < len(names):
            unread.append(block)
            continue
        for name, one in zip(names, values, strict=True):
            fields[name] = one_line(one.value) if name == "report" else one.value.rstrip()
    return unread


def _words_as_written(section: DocumentSection) -> list[AsWritten]:
    tables = [read_table(block) for block in section.blocks if block.kind is BlockKind.TABLE]
    return [
        AsWritten(field=row[0], where=row[1], words=row[2])
        for table in tables
        if tuple(map(words, table.header)) == WORD_COLUMNS
        for row in table.rows
    ]


def _changes(block: MarkdownBlock) -> list[Change]:
    if block.kind is not BlockKind.TABLE:
        return []
    table = read_table(block)
    if tuple(map(words, table.header)) != CHANGE_COLUMNS:
        return []
    try:
        return [_change(row) for row in table.rows]
    except msgspec.ValidationError:
        return []


def _change(row: Sequence[str]) -> Change:
    """Return a row as a change.

    Raises msgspec.ValidationError for an invalid row.
    """
    cells = dict(zip(("date", "by", "before", "after", "why"), row, strict=True))
    return msgspec.convert({key: value for key, value in cells.items() if value}, Change)
