"""Changing values in a YAML text without changing any other byte.

The tree of libyaml has the position of each value. A changed value is replaced in place, an added entry
gets its own lines, and a removed entry is removed with its lines. Comments, order, quotes, blank lines
and line ends around them stay. The result is parsed again and compared with the expected value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import yaml

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.yaml_edit.emit import entry_lines, indented, inline, item_lines
from esper_audit.tickets.yaml_edit.load import BLOCK_STYLES, YamlText, YamlValue, compose, value_of


class ListChanges(msgspec.Struct, frozen=True):
    """The difference between two lists.

    `changed` are pairs of an old and a new position whose items differ, `removed` are old positions, and
    `added` are new items by the number of old items before them.
    """

    changed: list[tuple[int, int]]
    removed: list[int]
    added: dict[int, list[YamlValue]]


def is_same_value(one: object, other: object) -> bool:
    """Return whether two values are equal.

    Unlike `==`, NaN equals NaN, and 1 equals neither 1.0 nor true.
    """
    return _encoded(one) == _encoded(other)


def list_changes(before: Sequence[YamlValue], after: Sequence[YamlValue]) -> ListChanges:
    """Return the difference between two lists, without the items that are equal."""
    result = ListChanges([], [], {})
    matcher = difflib.SequenceMatcher(
        None, list(map(_encoded, before)), list(map(_encoded, after)), autojunk=False
    )
    for step, first, last, new_first, new_last in matcher.get_opcodes():
        if step == "equal":
            continue
        both = min(last - first, new_last - new_first)
        result.changed.extend((first + i, new_first + i) for i in range(both))
        result.removed.extend(range(first + both, last))
        if new_first + both < new_last:
            result.added[first + both] = list(after[new_first + both : new_last])
    return result


def _encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value, order="sorted")


LINE_END = re.compile(r"\r\n|\n|\r")
BYTE_ORDER_MARK = "\ufeff"
Span = tuple[int, int]


class TextEdit(msgspec.Struct, frozen=True):
    """A range of the text and its replacement, with `\\n` as line end."""

    start: int
    end: int
    text: str


class ValuePosition(msgspec.Struct, frozen=True):
    """The position of a value after the colon or dash at `lead`.

    Its key begins in `column`.
    """

    node: yaml.Node
    lead: int
    column: int
    is_item: bool
    in_flow: bool


def patch_text(text: str, expected: Mapping[str, YamlValue]) -> str:
    """Return the text with the values of `expected`, and added keys after the key they follow there.

    Raises TicketError if other content would be lost, mostly that of aliases.
    """
    if text.startswith(BYTE_ORDER_MARK):  # libyaml does not count it
        return BYTE_ORDER_MARK + patch_text(text.removeprefix(BYTE_ORDER_MARK), expected)
    root = compose(text)
    before = value_of(root)
    if not (isinstance(root, yaml.MappingNode) and isinstance(before, dict)):
        raise TicketError("1: invalid ticket (expected a mapping of keys to values)")
    if is_same_value(before, expected):
        return text
    found = LINE_END.search(text)
    newline = found[0] if found else "\n"
    for patch in (YamlPatch(text), YamlPatch(text, whole_entries=True)):
        try:
            edits = list(patch.mapping(root, before, expected))
        except ValueError:  # no colon or dash at the expected position
            continue
        result = _apply_edits(text, edits, newline)
        if _has_value(result, expected):
            return result
    raise TicketError(
        "1: cannot be updated without changing other content (an alias, or an unsupported layout)."
        " Replace aliases by their values and try again."
    )


def _apply_edits(text: str, edits: list[TextEdit], newline: str) -> str:
    """Return the text with the edits, applied from the end.

    Of two edits at one position an insertion comes first, and of two insertions the earlier one.
    """
    placed = sorted(enumerate(edits), key=lambda e: (e[1].start, e[1].end > e[1].start, e[0]))
    for _, edit in reversed(placed):
        text = text[: edit.start] + edit.text.replace("\n", newline) + text[edit.end :]
    return text


def _has_value(text: str, expected: Mapping[str, YamlValue]) -> bool:
    try:
        return is_same_value(value_of(compose(text)), expected)
    except TicketError:
        return False


class YamlPatch:
    """Finds the edits between two values, by walking both along the tree of the text.

    With `whole_entries` every changed entry of the top level is replaced as a whole.
    """

    def __init__(self, text: str, *, whole_entries: bool = False) -> None:
        self._text = YamlText(text)
        self._whole = whole_entries

    def mapping(
        self,
        node: yaml.MappingNode,
        before: Mapping[str, YamlValue],
        after: Mapping[str, YamlValue],
    ) -> Iterator[TextEdit]:
        """Yield the edits of a mapping."""
        flow, column = bool(node.flow_style), node.start_mark.column
        for key, value in node.value:
            name = key.value
            if name in after and not is_same_value(before[name], after[name]):
                lead = self._text.after(key, ":")
                place = ValuePosition(
                    value, lead, key.start_mark.column, is_item=False, in_flow=flow
                )
                yield from self._value(place, before[name], after[name])
        spans = [(key.start_mark.index, self._text.end(value)) for key, value in node.value]
        removed = [at for at, (key, _) in enumerate(node.value) if key.value not in after]
        yield from self._removals(spans, removed, in_flow=flow)
        names = [key.value for key, _ in node.value]
        for previous, added in _new_keys(names, before, after).items():
            if flow:
                text = ", ".join(f"{key}: {inline(value)}" for key, value in added.items())
            else:
                lines = [line for key, value in added.items() for line in entry_lines(key, value)]
                text = "\n".join(indented(lines, column))
            yield self._insertion(spans, previous, text, in_flow=flow, column=column)

    def _sequence(
        self, node: yaml.SequenceNode, before: Sequence[YamlValue], after: Sequence[YamlValue]
    ) -> Iterator[TextEdit]:
        flow, column = bool(node.flow_style), node.start_mark.column
        starts = [
            item.start_mark.index if flow else self._text.dash(item, column) for item in node.value
        ]
        change = list_changes(before, after)
        for old, new in change.changed:
            place = ValuePosition(
                node.value[old], starts[old] + 1, column, is_item=True, in_flow=flow
            )
            yield from self._value(place, before[old], after[new])
        spans = [
            (start, self._text.end(item)) for start, item in zip(starts, node.value, strict=True)
        ]
        yield from self._removals(spans, change.removed, in_flow=flow)
        for previous, added in change.added.items():
            lines = [line for item in added for line in item_lines(item)]
            text = ", ".join(map(inline, added)) if flow else "\n".join(indented(lines, column))
            yield self._insertion(spans, previous - 1, text, in_flow=flow, column=column)

    def _value(
        self, place: ValuePosition, before: YamlValue, after: YamlValue
    ) -> Iterator[TextEdit]:
        """Yield the edits of a changed value.

        It is replaced if nothing of the old one remains.
        """
        node = place.node
        if self._whole:
            yield self._replacement(place, after)
        elif (
            isinstance(node, yaml.MappingNode)
            and isinstance(before, dict)
            and isinstance(after, dict)
            and next(iter(before), None) in after
        ):
            yield from self.mapping(node, before, after)
        elif (
            isinstance(node, yaml.SequenceNode)
            and isinstance(before, list)
            and isinstance(after, list)
            and (before and after)
        ):
            yield from self._sequence(node, before, after)
        else:
            yield self._replacement(place, after)

    def _replacement(self, place: ValuePosition, after: YamlValue) -> TextEdit:
        """Return the edit that replaces a value.

        Comments on its first and last line stay.
        """
        node, end = place.node, self._text.end(place.node)
        if place.in_flow:
            return TextEdit(node.start_mark.index, end, inline(after))
        first, *rest = item_lines(after) if place.is_item else entry_lines("k", after)
        first = first.removeprefix("-" if place.is_item else "k:").lstrip()
        start = self._start(place) if first else place.lead
        space = " " if first and start == place.lead else ""
        inner, outer = self._text.comment_inside(node, place.lead), self._text.comment_at(end)
        stop, rest = end + len(outer), indented(rest, place.column)
        if not first or first.startswith(BLOCK_STYLES):
            return TextEdit(start, stop, "\n".join([f"{space}{first}{inner}{outer}", *rest]))
        return TextEdit(start, stop, "\n".join([space + first, *rest]) + inner + outer)

    def _start(self, place: ValuePosition) -> int:
        """Return the start of the range to replace.

        A scalar keeps the space before it.
        """
        is_written = self._text.end(place.node) > place.lead
        is_block = isinstance(place.node, yaml.CollectionNode) and not place.node.flow_style
        start: int = place.node.start_mark.index
        return start if is_written and not is_block else place.lead

    def _removals(
        self, spans: list[Span], removed: list[int], *, in_flow: bool
    ) -> Iterator[TextEdit]:
        """Yield the edits that remove entries or items, in a block with their lines."""
        for at in removed:
            start, end = spans[at]
            if not in_flow:
                yield TextEdit(self._text.line_start(start), self._text.line_end(end), "")
            elif set(range(at, len(spans))) <= set(removed):
                yield TextEdit(spans[at - 1][1], spans[-1][1], "")
                return
            else:
                yield TextEdit(start, spans[at + 1][0], "")

    def _insertion(
        self, spans: list[Span], previous: int, text: str, *, in_flow: bool, column: int
    ) -> TextEdit:
        """Return the edit that inserts entries or items after position `previous`, or before all for -1."""
        if previous < 0:
            start = spans[0][0]
            if in_flow:
                return TextEdit(start, start, f"{text}, ")
            return TextEdit(start, start, f"{text.lstrip()}\n{' ' * column}")
        end = spans[previous][1]
        if in_flow:
            return TextEdit(end, end, f", {text}")
        at = self._text.line_end(end)
        return TextEdit(at, at, f"{text}\n" if self._text.is_after_line_end(at) else f"\n{text}")


def _new_keys(
    names: Sequence[str], before: Mapping[str, YamlValue], after: Mapping[str, YamlValue]
) -> dict[int, dict[str, YamlValue]]:
    """Return the added entries by the position of the entry they follow, -1 for before all."""
    found: dict[int, dict[str, YamlValue]] = {}
    previous = -1
    for key, value in after.items():
        if key in before:
            previous = names.index(key)
        else:
            found.setdefault(previous, {})[key] = value
    return found
