"""The text of a ticket after a change: the values that changed, in the text as it stands now."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.decode import read_ticket_text
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.load import YamlValue
from esper_audit.tickets.yaml_edit.patch import is_same_value, list_changes, patch_text


def updated_text(text: str, before: Ticket, after: Ticket) -> str:
    """Return a ticket's text with what differs between two states of its record.

    The text may say more than `before`: what a person wrote since then, and defaults written out,
    stay. Raises TicketError where the person changed a key that is to be changed here.
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
            raise TicketError(f"1: {key}: somebody changed it meanwhile; try again")
    wanted = merged(origin.value, old, new)
    assert isinstance(wanted, dict)
    return patch_text(text, wanted)


def merged(raw: YamlValue, before: YamlValue, after: YamlValue) -> YamlValue:
    """Return `after` as a text would hold it that holds `raw` for `before`: defaults written out stay."""
    if is_same_value(before, after):
        return raw
    if isinstance(raw, dict) and isinstance(before, dict) and isinstance(after, dict):
        written_out = {key: value for key, value in raw.items() if key not in before}
        return {
            key: merged(raw.get(key), before.get(key), value) for key, value in after.items()
        } | {key: value for key, value in written_out.items() if key not in after}
    if isinstance(raw, list) and isinstance(before, list) and isinstance(after, list):
        return _merged_items(raw, before, after) if len(raw) == len(before) else after
    return after


def _merged_items(
    raw: list[YamlValue], before: list[YamlValue], after: list[YamlValue]
) -> list[YamlValue]:
    change = list_changes(before, after)
    changed = dict(change.changed)
    items: list[YamlValue] = list(change.added.get(0, []))
    for position, item in enumerate(raw):
        if position in changed:
            items.append(merged(item, before[position], after[changed[position]]))
        elif position not in change.removed:
            items.append(item)
        items += change.added.get(position + 1, [])
    return items
