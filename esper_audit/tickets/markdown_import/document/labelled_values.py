"""The labelled values of a form in lines, list items and table rows."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.inline_values import (
    name_set,
    one_line,
    without_markup,
    without_stray_mark,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import MarkdownTable, read_table

LABEL = re.compile(
    r" {0,3}(?P<mark>\*\*|__)(?P<label>[^*\n]{1,80}?)(?:\s*:\s*(?P=mark)|(?P=mark)\s*:)\s*(?P<value>.*)"
)
# `**Status: FIXED**` with the value in bold too.
ALL_BOLD = re.compile(r" {0,3}\*\*(?P<label>[A-Za-z][^*:\n]{1,40}):\s+(?P<value>[^*\n]+)\*\*\s*")
PLAIN_LABEL = re.compile(r" {0,3}(?P<label>[A-Za-z][\w/ ()-]{0,30}?)\s*:\s+(?P<value>\S.*)")
FIELD_NAMES = name_set("field, property, attribute, key, item, name, metadata") | {""}
VALUE_NAMES = name_set("value, details, detail, content") | {""}


class LabelledValue(msgspec.Struct, frozen=True):
    """A label, its value and its source.

    Text without label has an empty label.
    """

    label: str
    value: str
    source: str

    @property
    def is_one_line(self) -> bool:
        """Return whether it has a label and a value of one line."""
        return bool(self.label) and "\n" not in self.value


def paragraph_values(
    block: MarkdownBlock, plain: frozenset[str] = frozenset()
) -> list[LabelledValue]:
    """Split a paragraph at lines that begin with a bold label, or with one of the labels in `plain`."""
    found: list[LabelledValue] = []
    for line in block.lines:
        match = LABEL.match(line) or ALL_BOLD.fullmatch(line) or _plain_label(line, plain)
        if match is not None:
            value = without_stray_mark(match["value"])
            found.append(LabelledValue(match["label"].strip(), value, line))
        elif found:
            last = found[-1]
            value = f"{last.value}\n{line}" if last.value.strip() else line
            found[-1] = LabelledValue(last.label, value, f"{last.source}\n{line}")
        else:
            found.append(LabelledValue("", line, line))
    return found


def list_values(block: MarkdownBlock, plain: frozenset[str] = frozenset()) -> list[LabelledValue]:
    """Return the labelled values of a list, empty if an item has no label or has a box."""
    found = []
    for item in block.items:
        first, line_end, rest = item.text.partition("\n")
        match = LABEL.match(first) or _plain_label(first, plain)
        if match is None or item.done is not None:
            return []
        value = match["value"] + line_end + rest
        source = "- " + textwrap.indent(item.text, "  ").lstrip()
        found.append(LabelledValue(match["label"].strip(), value, source))
    return found


def table_values(block: MarkdownBlock, known: Iterable[str]) -> list[LabelledValue]:
    """Return the labelled values of a table, empty for a table of another shape.

    A row holds a label and its value, or two of each, or the header holds the labels and the only row
    the values. `known` are the labels of the form.
    """
    table = read_table(block)
    labels = frozenset(known)
    if len(table.rows) == 1 and _are_labels(table.header, labels):
        return [_row_value(pair) for pair in zip(table.header, table.rows[0], strict=True)]
    rows = table.rows if _is_plain_header(table) else table.every_row
    width = len(rows[0]) if rows else 0
    if width == 2:
        return [_row_value((row[0], row[1])) for row in rows]
    if width == 4 and all(words(row[0]) in labels and words(row[2]) in labels for row in rows):
        return [_row_value(pair) for row in rows for pair in ((row[0], row[1]), (row[2], row[3]))]
    return []


def block_values(
    blocks: Sequence[MarkdownBlock], known: Iterable[str], plain: frozenset[str] = frozenset()
) -> list[tuple[MarkdownBlock, list[LabelledValue]]]:
    """Return each block with its labelled values."""
    readers = {
        BlockKind.PARAGRAPH: lambda block: paragraph_values(block, plain),
        BlockKind.LIST: lambda block: list_values(block, plain),
        BlockKind.TABLE: lambda block: table_values(block, known),
    }
    return [
        (block, readers[block.kind](block) if block.kind in readers else []) for block in blocks
    ]


def _are_labels(cells: Sequence[str], labels: frozenset[str]) -> bool:
    return len(cells) > 1 and all(words(cell) in labels for cell in cells)


def _is_plain_header(table: MarkdownTable) -> bool:
    """Return whether the header only names the columns for field and value."""
    head = [words(cell) for cell in table.header]
    return not head or (len(head) == 2 and head[0] in FIELD_NAMES and head[1] in VALUE_NAMES)


def _row_value(pair: tuple[str, str]) -> LabelledValue:
    label, value = without_markup(pair[0]).rstrip(":").strip(), one_line(pair[1])
    label, value = label.removeprefix("**").rstrip(": "), without_stray_mark(value)
    return LabelledValue(label, value, f"| {pair[0]} | {pair[1]} |")


def _plain_label(line: str, plain: frozenset[str]) -> re.Match[str] | None:
    match = PLAIN_LABEL.match(line) if plain else None
    return match if match and words(match["label"]) in plain else None
