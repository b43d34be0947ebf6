"""Other tickets: a table or a list, each with what it is to this one and a note; the rest stays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.markdown_import.blocks import Block, Item, Kind
from esper_audit.markdown_import.document import Section
from esper_audit.markdown_import.headings import Part
from esper_audit.markdown_import.leftovers import left_over
from esper_audit.markdown_import.tables import Table, read_table
from esper_audit.markdown_import.values import bare, leading_ids, one_line, says_nothing
from esper_audit.markdown_import.vocabulary import words
from esper_audit.ticket_parts import Extra, Related, Relation

ID_NAMES = (
    "ticket id",
    "id",
    "ticket",
    "related",
    "related ticket",
    "finding",
    "issue",
    "finding id",
)
RELATION_NAMES = ("relationship", "relation", "type", "link")
NOTE_NAMES = ("notes", "note", "description", "comment", "comments", "title", "summary", "reason")
RELATIONS = {
    "duplicate": Relation.DUPLICATE,
    "duplicates": Relation.DUPLICATE,
    "duplicate of": Relation.DUPLICATE,
    "duplicated by": Relation.DUPLICATE,
    "dup": Relation.DUPLICATE,
    "same issue": Relation.DUPLICATE,
    "same as": Relation.DUPLICATE,
    "related": Relation.RELATED,
    "related to": Relation.RELATED,
    "blocks": Relation.BLOCKS,
    "blocking": Relation.BLOCKS,
    "blocked by": Relation.BLOCKED_BY,
    "blocked": Relation.BLOCKED_BY,
    "depends on": Relation.BLOCKED_BY,
    "requires": Relation.BLOCKED_BY,
}
LEAD = re.compile(r"^\s*(?:[:,]|[-–—]+(?=\s))\s*")
TOLD = re.compile(r"^\s*[(\[]?\s*[`*_]*([A-Za-z][A-Za-z -]*?)[`*_]*\s*(?:[)\]:]|\s[-–—]+\s|$)")


class Links(msgspec.Struct, frozen=True):
    """The other tickets, and what names none."""

    related: list[Related]
    extra: list[Extra]


def read_related(sections: Sequence[Section]) -> Links:
    """Read the sections of related findings."""
    related: list[Related] = []
    rest: list[Block] = []
    below: list[Section] = []
    for section in sections:
        for block in section.blocks:
            found = list(_links(block))
            related += found
            if not found and not says_nothing(block.text):
                rest.append(block)
        below += section.children
    return Links(related, left_over(Part.RELATED, rest, below))


def _links(block: Block) -> Iterator[Related]:
    """Yield the links of a block: all of it is links, or none."""
    if block.kind is Kind.TABLE:
        yield from _in_table(read_table(block))
    elif block.kind is Kind.LIST:
        yield from _in_items(block.items)
    elif block.kind is Kind.PARAGRAPH:
        yield from _in_items([Item(None, line) for line in block.lines])


def _in_items(items: Sequence[Item]) -> list[Related]:
    links = [_in_item(item.text) for item in items if not says_nothing(item.text)]
    told = all(links) and not any("\n\n" in item.text or item.done is not None for item in items)
    return [link for found in links for link in found] if told else []


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


def _in_table(table: Table) -> list[Related]:
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


def _columns(table: Table) -> tuple[int, int | None, int | None] | None:
    """Return where id, relation and note stand; None for a table of another kind."""
    names = [words(cell) for cell in table.header]
    width = len(table.every_row[0]) if table.every_row else 0
    if not names:
        return (0, 1, 2) if width == 3 else None
    found = [
        next((n for n, name in enumerate(names) if name in known), None)
        for known in (ID_NAMES, RELATION_NAMES, NOTE_NAMES)
    ]
    place = found[0]
    known = len([column for column in found if column is not None])
    return (place, found[1], found[2]) if place is not None and known == width else None


def _in_row(row: Sequence[str], columns: tuple[int, int | None, int | None]) -> list[Related]:
    ids, rest = leading_ids(row[columns[0]])
    if not ids:
        return []
    said = bare(row[columns[1]]) if columns[1] is not None else ""
    note = one_line(row[columns[2]]) if columns[2] is not None else ""
    kind = RELATIONS.get(words(said), Relation.RELATED)
    beyond = [one_line(LEAD.sub("", rest))] if bare(rest) else []
    if said and said.lower() != kind.value:
        beyond.append(said)
    return [
        Related(id=found, relation=kind, note=": ".join(filter(None, [*beyond, note])))
        for found in ids
    ]
