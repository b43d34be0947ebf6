"""Reading the locations: a row each for files, lines and symbols, a table of places, or a list of places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import (
    BlockKind,
    ListItem,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    name_set,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    block_values,
)
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_nodes
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import (
    LocationCells,
    is_covered_by,
    listed_place,
    place_text,
    places_of,
)
from esper_audit.tickets.parts import AsWritten, Extra, TicketLocation

FORM_LABELS = {"files": "File(s)", "lines": "Line(s)", "symbols": "Function/Class"}
FORM_LABEL_WORDS = name_set("file, s, files, line, lines, function, functions, class, classes")
NAMES = {
    "files": "file s, file, files, path, paths, module, file path, source file, affected file, "
    "affected files, location",
    "lines": "line s, line, lines, line number, line numbers, line range, range",
    "symbols": "function class, function, functions, class, classes, class function, method, methods, "
    "symbol, symbols, component, function method, class method, function name, entity, scope, "
    "class function method",
}
FIELD_OF = by_name(NAMES)
FURTHER_PLACES = ("additional locations", "other locations", "also in", "see also")
SECTION = FormPart.LOCATION.value


class LocationSection(msgspec.Struct, frozen=True):
    """The places, the original words that they do not contain, and all other text."""

    places: list[TicketLocation]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_location(
    sections: Iterable[DocumentSection], paths: PathMap, head: LocationCells
) -> LocationSection:
    """Read the sections of locations.

    `head` are the cells of the metadata, used if no section has a place.
    """
    groups: list[LocationCells] = []
    items: list[str] = []
    extra: list[Extra] = []
    for section in sections:
        rows, wide, listed, rest = _sort_blocks(section.blocks)
        grouped, unknown = _group_rows(rows)
        groups += [*grouped, *wide]
        items += listed
        extra += [*unknown, *unmapped_nodes(FormPart.LOCATION, rest, section.children)]
    if not (groups or items):
        return LocationSection(places_of(head, paths), [], extra)
    places = [place for group in groups for place in places_of(group, paths)]
    further = [place for item in items if (place := listed_place(item, paths))]
    if len(groups) == 1 and not further:
        return LocationSection(places, _row_words(groups[0], places), extra)
    written = [
        word for group in groups for word in _uncovered_words(group, places_of(group, paths))
    ]
    unread = [item for item in items if not _is_covered(item, further)]
    written += [_location_words("Additional locations", item) for item in unread]
    return LocationSection([*places, *further], written, extra)


def _sort_blocks(
    blocks: Sequence[MarkdownBlock],
) -> tuple[list[LabelledValue], list[LocationCells], list[str], list[MarkdownBlock]]:
    """Return the labelled rows, the places of tables, the items that are places, and the other blocks."""
    rows: list[LabelledValue] = []
    wide: list[LocationCells] = []
    items: list[str] = []
    rest: list[MarkdownBlock] = []
    announced = False
    for block, found in block_values(blocks, FIELD_OF, frozenset(FIELD_OF)):
        if _is_place_table(block):
            wide += _table_places(block)
        elif found and all(s.is_one_line and "|" not in s.label for s in found):
            rows += [s for s in found if words(s.label) not in FURTHER_PLACES or s.value]
        elif announced and block.kind is BlockKind.LIST:
            places = [item for item in block.items if _is_place(item)]
            items += [item.text for item in places]
            rest += block.without(places)
        elif _are_places(block):
            items += [item.text for item in block.items] or [block.text]
        elif not _is_announcement(block):
            rest.append(block)
        announced = _is_announcement(block)
    return rows, wide, items, rest


def _are_places(block: MarkdownBlock) -> bool:
    """Return whether a block is a list of places, or a paragraph with one place."""
    if block.kind is BlockKind.PARAGRAPH:
        return listed_place(block.text, PathMap()) is not None
    return block.kind is BlockKind.LIST and all(_is_place(item) for item in block.items)


def _is_place(item: ListItem) -> bool:
    return item.done is None and listed_place(item.text, PathMap()) is not None


def _is_announcement(block: MarkdownBlock) -> bool:
    """Return whether a paragraph announces additional locations."""
    return block.kind is BlockKind.PARAGRAPH and words(block.text).startswith(FURTHER_PLACES[0])


def _is_place_table(block: MarkdownBlock) -> bool:
    if block.kind is not BlockKind.TABLE:
        return False
    header = [FIELD_OF.get(words(cell), "") for cell in read_table(block).header]
    return "files" in header and all(header) and len(set(header)) == len(header) > 1


def _table_places(block: MarkdownBlock) -> list[LocationCells]:
    table = read_table(block)
    fields = [FIELD_OF[words(cell)] for cell in table.header]
    return [
        LocationCells(**dict(zip(fields, map(one_line, row), strict=True))) for row in table.rows
    ]


def _group_rows(rows: Sequence[LabelledValue]) -> tuple[list[LocationCells], list[Extra]]:
    """Return rows as groups of one place each, and the rows of other labels as `extra`.

    A label that is in the current group begins the next group.
    """
    groups: list[dict[str, str]] = []
    extra: list[Extra] = []
    others: dict[str, str] = {}
    for row in rows:
        field = FIELD_OF.get(words(row.label), "")
        if field and set(words(row.label).split()) <= FORM_LABEL_WORDS:
            if not groups or field in groups[-1]:
                groups.append({})
            groups[-1][field] = row.value
            continue
        if field:
            others.setdefault(field, row.value)
        extra.append(Extra(section=SECTION, row=row.label, text=one_line(row.value)))
    if others:
        groups = groups or [{}]
        groups[0] = {**others, **{key: value for key, value in groups[0].items() if value}}
    return [LocationCells(**group) for group in groups], extra


def _row_words(cells: LocationCells, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the words of the rows that the first location does not contain."""
    first = places[0] if places else None
    shown = {
        "files": (cells.files, first.path if first else ""),
        "lines": (cells.lines, first.lines if first else ""),
        "symbols": (cells.symbols, first.symbol if first else ""),
    }
    return [
        AsWritten(field=field, words=one_line(cell))
        for field, (cell, text) in shown.items()
        if cell and not is_covered_by(cell, text)
    ]


def _uncovered_words(cells: LocationCells, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the words of a group that its locations do not contain."""
    return [
        _location_words(FORM_LABELS[field.field], field.words)
        for field in (_row_words(cells, places) if len(places) < 2 else _all_words(cells))
    ]


def _all_words(cells: LocationCells) -> list[AsWritten]:
    by_field = {"files": cells.files, "lines": cells.lines, "symbols": cells.symbols}
    return [AsWritten(field=name, words=one_line(cell)) for name, cell in by_field.items() if cell]


def _is_covered(item: str, further: Iterable[TicketLocation]) -> bool:
    return any(is_covered_by(item, place_text(place)) for place in further)


def _location_words(where: str, text: str) -> AsWritten:
    return AsWritten(field="location", where=where, words=one_line(text))
