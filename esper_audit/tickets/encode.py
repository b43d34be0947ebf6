"""The text of a ticket after a change of its record: only the changed values differ."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.decode import read_ticket_text
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.load import YamlValue
from esper_audit.tickets.yaml_edit.patch import is_same_value, list_changes, patch_text


def updated_text(text: str, before: Ticket, after: Ticket) -> str:
    """Return a ticket's text with the differences between two states of its record.

    Values that were edited in the text since `before`, and defaults that are written out, stay. Raises
    TicketError where the text has another value of a key that changes.
    """
    origin = read_ticket_text(text)
    present = msgspec.to_builtins(origin.ticket)
    old: dict[str, Any] = msgspec.to_builtins(before)
    new: dict[str, Any] = msgspec.to_builtins(after)
    for key in {**old, **new}:
        untouched = is_same_value(present.get(key), old.get(key)) or is_same_value(
            present.get(key), new.get(key)
        )
        if not is_same_value(old.get(key), new.get(key)) and not untouched:
            raise TicketError(f"1: {key}: the value in the file changed meanwhile. Try again.")
    content = merge(origin.value, old, new)
    assert isinstance(content, dict)
    return patch_text(text, content)


def merge(raw: YamlValue, before: YamlValue, after: YamlValue) -> YamlValue:
    """Return `after` for a text that has `raw` for `before`, with the defaults that `raw` writes out."""
    if is_same_value(before, after):
        return raw
    if isinstance(raw, dict) and isinstance(before, dict) and isinstance(after, dict):
        written_out = {key: value for key, value in raw.items() if key not in before}
        return {
            key: merge(raw.get(key), before.get(key), value) for key, value in after.items()
        } | {key: value for key, value in written_out.items() if key not in after}
    if isinstance(raw, list) and isinstance(before, list) and isinstance(after, list):
        return _merge_items(raw, before, after) if len(raw) == len(before) else after
    return after


def _merge_items(
    raw: list[YamlValue], before: list[YamlValue], after: list[YamlValue]
) -> list[YamlValue]:
    change = list_changes(before, after)
    changed = dict(change.changed)
    items: list[YamlValue] = list(change.added.get(0, []))
    for position, item in enumerate(raw):
        if position in changed:
            items.append(merge(item, before[position], after[changed[position]]))
        elif position not in change.removed:
            items.append(item)
        items += change.added.get(position + 1, [])
    return items
