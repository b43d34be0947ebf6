"""Other tickets: a table or a list, each with what it is to this one and a note; the rest stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import Item, Kind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    ID_AT_ALL,
    bare,
    leading_ids,
    meanings,
    one_line,
    says_nothing,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import MarkdownTable, read_table
from esper_audit.tickets.markdown_import.sections.unmapped import left_over
from esper_audit.tickets.markdown_import.terms.headings import Part
from esper_audit.tickets.parts import Extra, Related, Relation

ID, RELATION, NOTE = "id", "relation", "note"
OWN = (ID, RELATION, NOTE)
COLUMN_OF = meanings(
    {
        ID: "ticket id, id, ticket, related, related ticket, finding, issue, finding id, related id",
        RELATION: "relationship, relation, type, link",
        NOTE: "notes, note, description, comment, comments, title, summary, reason",
    }
)
RELATIONS = meanings(
    {
        Relation.DUPLICATE: "duplicate, duplicates, duplicate of, duplicated by, dup, same issue, same as, "
        "superseded by, supersedes",
        Relation.RELATED: "related, related to, relates to, see, see also, also, cf, part of, follow up",
        Relation.BLOCKS: "blocks, blocking",
        Relation.BLOCKED_BY: "blocked by, blocked, depends on, requires",
    }
)
LEAD = re.compile(r"^\s*(?:[:,]|[-–—]+(?=\s))\s*")
TOLD = re.compile(r"^\s*[(\[]?\s*[`*_]*([A-Za-z][A-Za-z -]*?)[`*_]*\s*(?:[)\]:]|\s[-–—]+\s|$)")


class Links(msgspec.Struct, frozen=True):
    """The other tickets, and what names none."""

    related: list[Related]
    extra: list[Extra]


def read_related(sections: Sequence[DocumentSection]) -> Links:
    """Read the sections of related findings."""
    related: list[Related] = []
    rest: list[MarkdownBlock] = []
    below: list[DocumentSection] = []
    for section in sections:
        for block in section.blocks:
            found, left = _links(block)
            related += found
            rest += [other for other in left if not says_nothing(other.text)]
        below += section.children
    return Links(related, left_over(Part.RELATED, rest, below))


def _links(block: MarkdownBlock) -> tuple[list[Related], list[MarkdownBlock]]:
    """Return the links of a block, and what of it is none: items of a list, or all of the block."""
    if block.kind is Kind.LIST:
        told = [(item, _in_item(item.text)) for item in block.items if _is_short(item)]
        taken = [item for item, found in told if found or says_nothing(item.text)]
        return [link for _, found in told for link in found], block.without(taken)
    links: list[Related] = []
    if block.kind is Kind.TABLE:
        links = _in_table(read_table(block))
    elif block.kind is Kind.PARAGRAPH:
        lines = [_in_item(line) for line in block.lines]
        links = [link for found in lines for link in found] if all(lines) else []
    return links, [] if links else [block]


def _is_short(item: Item) -> bool:
    return item.done is None and "\n\n" not in item.text


def _in_item(text: str) -> list[Related]:
    relation = ""
    ids, rest = leading_ids(text)
    if not ids:
        lead = re.match(r"[`*_]*([A-Za-z][A-Za-z -]*?)[`*_]*\s*:?[`*_]*\s+(?=[`*_\[]*[A-Z])", text)
        if lead is None or words(lead[1]) not in RELATIONS:
            return []
        relation = words(lead[1])
        ids, rest = leading_ids(text[lead.end() :])
    note = one_line(LEAD.sub("", rest))
    told = TOLD.match(LEAD.sub("", rest))
    said = relation or (words(told[1]) if told else "")
    kind = RELATIONS.get(said, Relation.RELATED)
    if relation and relation != kind.value.replace("-", " "):
        note = f"{relation}: {note}" if note else relation
    return [Related(id=found, relation=kind, note=note) for found in ids]


def _in_table(table: MarkdownTable) -> list[Related]:
    columns = _columns(table)
    if columns is None:
        return []
    links = []
    for row in table.rows if table.header else table.every_row:
        if all(says_nothing(cell) for cell in row):
            continue
        found = _in_row(row, columns)
        if not found:
            return []
        links += found
    return links


def _columns(table: MarkdownTable) -> tuple[str, ...] | None:
    """Return what the columns hold, others by their own names; None for a table without ids."""
    width = len(table.every_row[0]) if table.every_row else 0
    if not table.header:
        return (ID, RELATION, NOTE) if width == 3 else None
    columns: list[str] = []
    for cell in table.header:
        column = COLUMN_OF.get(words(cell), "")
        columns.append(column if column and column not in columns else one_line(cell))
    return tuple(columns) if ID in columns else None


def _in_row(row: Sequence[str], columns: Sequence[str]) -> list[Related]:
    cells = dict(zip(columns, row, strict=True))
    ids, rest = leading_ids(cells[ID])
    if ID_AT_ALL.fullmatch(bare(cells[ID])) and re.search(r"[\d-]", cells[ID]):
        ids, rest = [bare(cells[ID])], ""
    if not ids:
        return []
    said = bare(cells.get(RELATION, ""))
    note = one_line(cells.get(NOTE, ""))
    kind = RELATIONS.get(words(said), Relation.RELATED)
    beyond = [one_line(LEAD.sub("", rest))] if bare(rest) else []
    if said and said.lower() != kind.value:
        beyond.append(said)
    further = [f"{name}: {cell}" for name, cell in cells.items() if name not in OWN and cell]
    beyond += [one_line(text) for text in further]
    return [
        Related(id=found, relation=kind, note=": ".join(filter(None, [*beyond, note])))
        for found in ids
    ]
