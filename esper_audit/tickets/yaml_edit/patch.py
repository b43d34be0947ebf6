"""Changing values in a YAML text so that every byte that is not one of these values stays.

The tree that libyaml composes says where each value stands. A changed value is replaced where it
stands, a new entry gets lines of its own, a removed one takes its lines with it; comments, order,
quotes, blank lines and line ends around them are not touched. What comes out is read again and
compared with what was wanted before anybody sees it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import yaml

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.yaml_edit.emit import entry_lines, indented, inline, item_lines
from esper_audit.tickets.yaml_edit.load import BLOCK, Value, YamlText, compose, value_of


class ListChanges(msgspec.Struct, frozen=True):
    """How a list becomes another: pairs of positions whose items differ, positions (of the old list)
    that go, and new items by the number of old ones in front of them.
    """

    changed: list[tuple[int, int]]
    gone: list[int]
    fresh: dict[int, list[Value]]


def same(one: object, other: object) -> bool:
    """Compare two values; unlike `==`, not a number is itself, and 1 is neither 1.0 nor true."""
    return _encoded(one) == _encoded(other)


def steps(before: Sequence[Value], after: Sequence[Value]) -> ListChanges:
    """Return the steps from one list to another; items that are equal stay as they are."""
    result = ListChanges([], [], {})
    matcher = difflib.SequenceMatcher(
        None, list(map(_encoded, before)), list(map(_encoded, after)), autojunk=False
    )
    for step, first, last, new_first, new_last in matcher.get_opcodes():
        if step == "equal":
            continue
        both = min(last - first, new_last - new_first)
        result.changed.extend((first + i, new_first + i) for i in range(both))
        result.gone.extend(range(first + both, last))
        if new_first + both < new_last:
            result.fresh[first + both] = list(after[new_first + both : new_last])
    return result


def _encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value, order="sorted")


LINE_END = re.compile(r"\r\n|\n|\r")
BYTE_ORDER_MARK = "\ufeff"
Span = tuple[int, int]


class TextEdit(msgspec.Struct, frozen=True):
    """A stretch of the text and what stands there instead, its line ends written `\\n`."""

    start: int
    end: int
    text: str


class ValuePosition(msgspec.Struct, frozen=True):
    """Where a value stands: behind the colon or dash at `lead`, on a line whose key is in `column`."""

    node: yaml.Node
    lead: int
    column: int
    is_item: bool
    in_flow: bool


def patched(text: str, wanted: Mapping[str, Value]) -> str:
    """Return the text with the values of `wanted`; a new key goes behind the one it follows there.

    Raises TicketError where that cannot be done without losing something else (aliases, mostly).
    """
    if text.startswith(BYTE_ORDER_MARK):  # libyaml does not count it
        return BYTE_ORDER_MARK + patched(text.removeprefix(BYTE_ORDER_MARK), wanted)
    root = compose(text)
    before = value_of(root)
    if not (isinstance(root, yaml.MappingNode) and isinstance(before, dict)):
        raise TicketError("1: a ticket is a mapping of keys to values")
    if same(before, wanted):
        return text
    found = LINE_END.search(text)
    newline = found[0] if found else "\n"
    for patch in (Patch(text), Patch(text, whole_entries=True)):
        try:
            edits = list(patch.mapping(root, before, wanted))
        except ValueError:  # a colon or dash is not where it usually is
            continue
        result = _applied(text, edits, newline)
        if _means(result, wanted):
            return result
    raise TicketError(
        "1: cannot be updated without touching what a person wrote (an alias, or a layout that is"
        " not understood); write the values out and try again"
    )


def _applied(text: str, edits: list[TextEdit], newline: str) -> str:
    """Apply edits from the end; where two begin at one place, an insertion stands in front, and of
    two insertions the one that came first.
    """
    placed = sorted(enumerate(edits), key=lambda e: (e[1].start, e[1].end > e[1].start, e[0]))
    for _, edit in reversed(placed):
        text = text[: edit.start] + edit.text.replace("\n", newline) + text[edit.end :]
    return text


def _means(text: str, wanted: Mapping[str, Value]) -> bool:
    try:
        return same(value_of(compose(text)), wanted)
    except TicketError:
        return False


class Patch:
    """The edits that turn one value into another, found by walking both beside the tree of the text.

    With `whole_entries` an entry of the top level is replaced whole.
    """

    def __init__(self, text: str, *, whole_entries: bool = False) -> None:
        self._text = YamlText(text)
        self._whole = whole_entries

    def mapping(
        self, node: yaml.MappingNode, before: Mapping[str, Value], after: Mapping[str, Value]
    ) -> Iterator[TextEdit]:
        """Yield the edits of a mapping."""
        flow, column = bool(node.flow_style), node.start_mark.column
        for key, value in node.value:
            name = key.value
            if name in after and not same(before[name], after[name]):
                lead = self._text.behind(key, ":")
                place = ValuePosition(
                    value, lead, key.start_mark.column, is_item=False, in_flow=flow
                )
                yield from self._value(place, before[name], after[name])
        spans = [(key.start_mark.index, self._text.end(value)) for key, value in node.value]
        gone = [at for at, (key, _) in enumerate(node.value) if key.value not in after]
        yield from self._removals(spans, gone, in_flow=flow)
        names = [key.value for key, _ in node.value]
        for behind, fresh in _new_keys(names, before, after).items():
            if flow:
                text = ", ".join(f"{key}: {inline(value)}" for key, value in fresh.items())
            else:
                lines = [line for key, value in fresh.items() for line in entry_lines(key, value)]
                text = "\n".join(indented(lines, column))
            yield self._insertion(spans, behind, text, in_flow=flow, column=column)

    def _sequence(
        self, node: yaml.SequenceNode, before: Sequence[Value], after: Sequence[Value]
    ) -> Iterator[TextEdit]:
        flow, column = bool(node.flow_style), node.start_mark.column
        starts = [
            item.start_mark.index if flow else self._text.dash(item, column) for item in node.value
        ]
        change = steps(before, after)
        for old, new in change.changed:
            place = ValuePosition(
                node.value[old], starts[old] + 1, column, is_item=True, in_flow=flow
            )
            yield from self._value(place, before[old], after[new])
        spans = [
            (start, self._text.end(item)) for start, item in zip(starts, node.value, strict=True)
        ]
        yield from self._removals(spans, change.gone, in_flow=flow)
        for behind, fresh in change.fresh.items():
            lines = [line for item in fresh for line in item_lines(item)]
            text = ", ".join(map(inline, fresh)) if flow else "\n".join(indented(lines, column))
            yield self._insertion(spans, behind - 1, text, in_flow=flow, column=column)

    def _value(self, place: ValuePosition, before: Value, after: Value) -> Iterator[TextEdit]:
        """Yield the edits of a value that differs; what keeps nothing of the old one is replaced."""
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

    def _replacement(self, place: ValuePosition, after: Value) -> TextEdit:
        """Return the edit that puts another value in place; comments on its first and last line stay."""
        node, end = place.node, self._text.end(place.node)
        if place.in_flow:
            return TextEdit(node.start_mark.index, end, inline(after))
        first, *rest = item_lines(after) if place.is_item else entry_lines("k", after)
        first = first.removeprefix("-" if place.is_item else "k:").lstrip()
        start = self._start(place) if first else place.lead
        space = " " if first and start == place.lead else ""
        inner, outer = self._text.comment_inside(node, place.lead), self._text.comment_at(end)
        stop, rest = end + len(outer), indented(rest, place.column)
        if not first or first.startswith(BLOCK):
            return TextEdit(start, stop, "\n".join([f"{space}{first}{inner}{outer}", *rest]))
        return TextEdit(start, stop, "\n".join([space + first, *rest]) + inner + outer)

    def _start(self, place: ValuePosition) -> int:
        """Return where a value begins that another takes the place of: a scalar keeps the space in front."""
        is_written = self._text.end(place.node) > place.lead
        is_block = isinstance(place.node, yaml.CollectionNode) and not place.node.flow_style
        start: int = place.node.start_mark.index
        return start if is_written and not is_block else place.lead

    def _removals(self, spans: list[Span], gone: list[int], *, in_flow: bool) -> Iterator[TextEdit]:
        """Yield the edits that take entries or items away, a block's with their lines."""
        for at in gone:
            start, end = spans[at]
            if not in_flow:
                yield TextEdit(self._text.line_start(start), self._text.line_end(end), "")
            elif set(range(at, len(spans))) <= set(gone):
                yield TextEdit(spans[at - 1][1], spans[-1][1], "")
                return
            else:
                yield TextEdit(start, spans[at + 1][0], "")

    def _insertion(
        self, spans: list[Span], behind: int, text: str, *, in_flow: bool, column: int
    ) -> TextEdit:
        """Return the edit that puts entries or items behind one that is there, or in front of all."""
        if behind < 0:
            start = spans[0][0]
            if in_flow:
                return TextEdit(start, start, f"{text}, ")
            return TextEdit(start, start, f"{text.lstrip()}\n{' ' * column}")
        end = spans[behind][1]
        if in_flow:
            return TextEdit(end, end, f", {text}")
        at = self._text.line_end(end)
        return TextEdit(at, at, f"{text}\n" if self._text.ends_line(at) else f"\n{text}")


def _new_keys(
    names: Sequence[str], before: Mapping[str, Value], after: Mapping[str, Value]
) -> dict[int, dict[str, Value]]:
    """Return the new entries by the position of the one they go behind, -1 for in front of all."""
    found: dict[int, dict[str, Value]] = {}
    behind = -1
    for key, value in after.items():
        if key in before:
            behind = names.index(key)
        else:
            found.setdefault(behind, {})[key] = value
    return found
