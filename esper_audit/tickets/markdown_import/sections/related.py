"""Reading the related tickets: a table, a list or lines, each with a relation and a note."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import (
    BlockKind,
    ListItem,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    ANY_TICKET_ID,
    by_name,
    is_empty_value,
    one_line,
    split_leading_ids,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import MarkdownTable, read_table
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_nodes
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import Extra, Related, Relation

ID, RELATION, NOTE = "id", "relation", "note"
COLUMNS = (ID, RELATION, NOTE)
COLUMN_OF = by_name(
    {
        ID: "ticket id, id, ticket, related, related ticket, finding, issue, finding id, related id",
        RELATION: "relationship, relation, type, link",
        NOTE: "notes, note, description, comment, comments, title, summary, reason",
    }
)
RELATIONS = by_name(
    {
        Relation.DUPLICATE: "duplicate, duplicates, duplicate of, duplicated by, dup, same issue, same as, "
        "superseded by, supersedes",
        Relation.RELATED: "related, related to, relates to, see, see also, also, cf, part of, follow up",
        Relation.BLOCKS: "blocks, blocking",
        Relation.BLOCKED_BY: "blocked by, blocked, depends on, requires",
    }
)
NOTE_MARK = re.compile(r"^\s*(?:[:,]|[-–—]+(?=\s))\s*")
RELATION_WORDS = re.compile(
    r"^\s*[(\[]?\s*[`*_]*([A-Za-z][A-Za-z -]*?)[`*_]*\s*(?:[)\]:]|\s[-–—]+\s|$)"
)


class RelatedSection(msgspec.Struct, frozen=True):
    """The related tickets, and all other text."""

    related: list[Related]
    extra: list[Extra]


def read_related(sections: Sequence[DocumentSection]) -> RelatedSection:
    """Read the sections of related findings."""
    related: list[Related] = []
    rest: list[MarkdownBlock] = []
    below: list[DocumentSection] = []
    for section in sections:
        for block in section.blocks:
            found, unread = _block_links(block)
            related += found
            rest += [other for other in unread if not is_empty_value(other.text)]
        below += section.children
    return RelatedSection(related, unmapped_nodes(FormPart.RELATED, rest, below))


def _block_links(block: MarkdownBlock) -> tuple[list[Related], list[MarkdownBlock]]:
    """Return the links of a block, and its other items, or the block itself without links."""
    if block.kind is BlockKind.LIST:
        pairs = [(item, _item_links(item.text)) for item in block.items if _is_short(item)]
        read = [item for item, found in pairs if found or is_empty_value(item.text)]
        return [link for _, found in pairs for link in found], block.without(read)
    links: list[Related] = []
    if block.kind is BlockKind.TABLE:
        links = _table_links(read_table(block))
    elif block.kind is BlockKind.PARAGRAPH:
        lines = [_item_links(line) for line in block.lines]
        links = [link for found in lines for link in found] if all(lines) else []
    return links, [] if links else [block]


def _is_short(item: ListItem) -> bool:
    return item.done is None and "\n\n" not in item.text


def _item_links(text: str) -> list[Related]:
    relation = ""
    ids, rest = split_leading_ids(text)
    if not ids:
        lead = re.match(r"[`*_]*([A-Za-z][A-Za-z -]*?)[`*_]*\s*:?[`*_]*\s+(?=[`*_\[]*[A-Z])", text)
        if lead is None or words(lead[1]) not in RELATIONS:
            return []
        relation = words(lead[1])
        ids, rest = split_leading_ids(text[lead.end() :])
    note = one_line(NOTE_MARK.sub("", rest))
    stated = RELATION_WORDS.match(NOTE_MARK.sub("", rest))
    name = relation or (words(stated[1]) if stated else "")
    kind = RELATIONS.get(name, Relation.RELATED)
    if relation and relation != kind.value.replace("-", " "):
        note = f"{relation}: {note}" if note else relation
    return [Related(id=found, relation=kind, note=note) for found in ids]


def _table_links(table: MarkdownTable) -> list[Related]:
    columns = _columns(table)
    if columns is None:
        return []
    links = []
    for row in table.rows if table.header else table.every_row:
        if all(is_empty_value(cell) for cell in row):
            continue
        found = _row_links(row, columns)
        if not found:
            return []
        links += found
    return links


def _columns(table: MarkdownTable) -> tuple[str, ...] | None:
    """Return the meaning of each column, else its own name, None for a table without ids."""
    width = len(table.every_row[0]) if table.every_row else 0
    if not table.header:
        return (ID, RELATION, NOTE) if width == 3 else None
    columns: list[str] = []
    for cell in table.header:
        column = COLUMN_OF.get(words(cell), "")
        columns.append(column if column and column not in columns else one_line(cell))
    return tuple(columns) if ID in columns else None


def _row_links(row: Sequence[str], columns: Sequence[str]) -> list[Related]:
    cells = dict(zip(columns, row, strict=True))
    ids, rest = split_leading_ids(cells[ID])
    if ANY_TICKET_ID.fullmatch(without_markup(cells[ID])) and re.search(r"[\d-]", cells[ID]):
        ids, rest = [without_markup(cells[ID])], ""
    if not ids:
        return []
    stated = without_markup(cells.get(RELATION, ""))
    note = one_line(cells.get(NOTE, ""))
    kind = RELATIONS.get(words(stated), Relation.RELATED)
    notes = [one_line(NOTE_MARK.sub("", rest))] if without_markup(rest) else []
    if stated and stated.lower() != kind.value:
        notes.append(stated)
    further = [f"{name}: {cell}" for name, cell in cells.items() if name not in COLUMNS and cell]
    notes += [one_line(text) for text in further]
    return [
        Related(id=found, relation=kind, note=": ".join(filter(None, [*notes, note])))
        for found in ids
    ]
