"""The section that says where: a row for files, lines and symbols, a row a place, or a list of places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import Item, Kind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    meanings,
    names,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    statements_of,
)
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.markdown_import.sections.unmapped import left_over
from esper_audit.tickets.markdown_import.terms.headings import Part
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.terms.places import (
    Cells,
    further_place,
    places_of,
    rendered,
    says_no_more,
)
from esper_audit.tickets.parts import AsWritten, Extra, TicketLocation

OWN = {"files": "File(s)", "lines": "Line(s)", "symbols": "Function/Class"}
OWN_WORDS = names("file, s, files, line, lines, function, functions, class, classes")
NAMES = {
    "files": "file s, file, files, path, paths, module, file path, source file, affected file, "
    "affected files, location",
    "lines": "line s, line, lines, line number, line numbers, line range, range",
    "symbols": "function class, function, functions, class, classes, class function, method, methods, "
    "symbol, symbols, component, function method, class method, function name, entity, scope, "
    "class function method",
}
FIELD_OF = meanings(NAMES)
FURTHER = ("additional locations", "other locations", "also in", "see also")
SECTION = Part.LOCATION.value


class LocationSection(msgspec.Struct, frozen=True):
    """The places, the words that say more than they do, and what no field takes."""

    places: list[TicketLocation]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_location(
    sections: Iterable[DocumentSection], paths: PathMap, head: Cells
) -> LocationSection:
    """Read the sections of locations; `head` is what the metadata says where no section does."""
    groups: list[Cells] = []
    items: list[str] = []
    extra: list[Extra] = []
    for section in sections:
        rows, wide, listed, rest = _sorted(section.blocks)
        grouped, unknown = _grouped(rows)
        groups += [*grouped, *wide]
        items += listed
        extra += [*unknown, *left_over(Part.LOCATION, rest, section.children)]
    if not (groups or items):
        return LocationSection(places_of(head, paths), [], extra)
    places = [place for group in groups for place in places_of(group, paths)]
    further = [place for item in items if (place := further_place(item, paths))]
    if len(groups) == 1 and not further:
        return LocationSection(places, _in_place(groups[0], places), extra)
    written = [word for group in groups for word in _beyond(group, places_of(group, paths))]
    told = [item for item in items if not _is_told(item, further)]
    written += [_word("Additional locations", item) for item in told]
    return LocationSection([*places, *further], written, extra)


def _sorted(
    blocks: Sequence[MarkdownBlock],
) -> tuple[list[LabelledValue], list[Cells], list[str], list[MarkdownBlock]]:
    """Return rows of fields, places in rows, items that are places, and the rest."""
    rows: list[LabelledValue] = []
    wide: list[Cells] = []
    items: list[str] = []
    rest: list[MarkdownBlock] = []
    announced = False
    for block, found in statements_of(blocks, FIELD_OF, frozenset(FIELD_OF)):
        if _is_wide(block):
            wide += _wide(block)
        elif found and all(s.is_one_line and "|" not in s.label for s in found):
            rows += [s for s in found if words(s.label) not in FURTHER or s.value]
        elif announced and block.kind is Kind.LIST:
            places = [item for item in block.items if _is_place(item)]
            items += [item.text for item in places]
            rest += block.without(places)
        elif _are_places(block):
            items += [item.text for item in block.items] or [block.text]
        elif not _leads(block):
            rest.append(block)
        announced = _leads(block)
    return rows, wide, items, rest


def _are_places(block: MarkdownBlock) -> bool:
    """Return whether a block is a list of places, or a paragraph that is one."""
    if block.kind is Kind.PARAGRAPH:
        return further_place(block.text, PathMap()) is not None
    return block.kind is Kind.LIST and all(_is_place(item) for item in block.items)


def _is_place(item: Item) -> bool:
    return item.done is None and further_place(item.text, PathMap()) is not None


def _leads(block: MarkdownBlock) -> bool:
    """Return whether a paragraph only announces further locations."""
    return block.kind is Kind.PARAGRAPH and words(block.text).startswith(FURTHER[0])


def _is_wide(block: MarkdownBlock) -> bool:
    if block.kind is not Kind.TABLE:
        return False
    header = [FIELD_OF.get(words(cell), "") for cell in read_table(block).header]
    return "files" in header and all(header) and len(set(header)) == len(header) > 1


def _wide(block: MarkdownBlock) -> list[Cells]:
    table = read_table(block)
    fields = [FIELD_OF[words(cell)] for cell in table.header]
    return [Cells(**dict(zip(fields, map(one_line, row), strict=True))) for row in table.rows]


def _grouped(rows: Sequence[LabelledValue]) -> tuple[list[Cells], list[Extra]]:
    """Gather rows into places: each further row of files begins one; rows of no field stay rows."""
    groups: list[dict[str, str]] = []
    extra: list[Extra] = []
    others: dict[str, str] = {}
    for row in rows:
        field = FIELD_OF.get(words(row.label), "")
        if field and set(words(row.label).split()) <= OWN_WORDS:
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
    return [Cells(**group) for group in groups], extra


def _in_place(cells: Cells, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the words of the rows that the first location does not show as they stand."""
    first = places[0] if places else None
    shown = {
        "files": (cells.files, first.path if first else ""),
        "lines": (cells.lines, first.lines if first else ""),
        "symbols": (cells.symbols, first.symbol if first else ""),
    }
    return [
        AsWritten(field=field, words=one_line(cell))
        for field, (cell, text) in shown.items()
        if cell and not says_no_more(cell, text)
    ]


def _beyond(cells: Cells, places: Sequence[TicketLocation]) -> list[AsWritten]:
    """Return the words of rows that the locations made of them do not show."""
    return [
        _word(OWN[field.field], field.words)
        for field in (_in_place(cells, places) if len(places) < 2 else _all_of(cells))
    ]


def _all_of(cells: Cells) -> list[AsWritten]:
    held = {"files": cells.files, "lines": cells.lines, "symbols": cells.symbols}
    return [AsWritten(field=field, words=one_line(cell)) for field, cell in held.items() if cell]


def _is_told(item: str, further: Iterable[TicketLocation]) -> bool:
    return any(says_no_more(item, rendered(place)) for place in further)


def _word(where: str, text: str) -> AsWritten:
    return AsWritten(field="location", where=where, words=one_line(text))
