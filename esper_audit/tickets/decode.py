"""Reads the text of a ticket strictly, with errors that name the line and the key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import yaml
from msgspec import inspect

from esper_audit.claims.records import KINDS, Address, NodeId
from esper_audit.findings.errors import TicketError
from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.parts import Commit, Date, DateOrNothing, Lines, StatusOrSeverity
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.load import YamlValue, compose, line_of, value_of

Key: TypeAlias = "str | int"
REFUSAL = re.compile(r"(?P<problem>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
# The message of a check in `__post_init__` begins with the key.
NAMED_KEY = re.compile(r"^(claim [^:]*: )?`(?P<key>\w+)`: ")
TAG = "kind"
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
FIELD = re.compile(r"Object (?P<how>missing required|contains unknown) field `(?P<name>[^`]*)`")
NOT_TEXT = re.compile(r"Expected `str`, got `(int|float|bool)`")
PATTERN_NAMES = {
    Date: "a date such as 2026-05-04",
    DateOrNothing: "a date such as 2026-05-04, or an empty text",
    Lines: "lines such as 12, 12-15 or 12-15, 20",
    Commit: "the hexadecimal hash of a commit",
    StatusOrSeverity: "a status or a severity",
    Address: "an address: package.name.Class.method, path/to/file.py or path/to/file.py:Class",
    NodeId: "a pytest node: path/to/test_file.py::test_name",
}


class Origin(msgspec.Struct, frozen=True):
    """A ticket, and the text and the value that it was read from."""

    ticket: Ticket
    text: str
    value: dict[str, YamlValue]


def read_ticket_text(text: str) -> Origin:
    """Return the ticket of a text.

    Raises TicketError with a message `line: key: problem`.
    """
    root = compose(text)
    value = value_of(root)
    if not isinstance(value, dict):
        raise TicketError("1: invalid ticket (expected a mapping of keys to values)")
    try:
        ticket = msgspec.convert(value, Ticket)
    except msgspec.ValidationError as error:
        raise TicketError(_located(str(error), root)) from error
    if ticket.is_severity_unexplained:
        raise TicketError(
            f"{_line(root, ['severity'])}: severity: differs from {ticket.proposed_severity}, which the"
            " check proposes, without a reason. Add `severity_reason`."
        )
    return Origin(ticket, text, value)


def line_of_key(text: str, path: Sequence[Key]) -> int:
    """Return the line of a key, or of its nearest parent if the text does not contain it."""
    return _line(compose(text), path)


def _located(message: str, root: yaml.Node | None) -> str:
    """Return a message of msgspec with its line and key in front."""
    refusal = REFUSAL.fullmatch(message)
    assert refusal is not None  # every text matches
    path: list[Key] = [name or int(number) for name, number in STEP.findall(refusal["path"] or "")]
    problem = refusal["problem"]
    field = FIELD.match(problem)
    named = NAMED_KEY.search(problem)
    if field is not None:
        known = _keys_at(path, root)
        path.append(field["name"])
        is_unknown = field["how"] == "contains unknown"
        unknown = f"unknown key{did_you_mean(field['name'], known)}"
        problem = unknown if is_unknown else "is missing"
    elif "Invalid enum value" in problem:
        problem = f"{problem}; known: {', '.join(_words_at(path, root))}"
    elif path and path[-1] == TAG and problem.startswith("Invalid value"):
        problem = f"{problem}; known: {', '.join(KINDS)}"
    elif named is not None and named["key"] in _keys_at(path, root):
        path.append(named["key"])
    elif NOT_TEXT.match(problem):
        problem = f"{problem}. Put it in quotes."
    for pattern, name in PATTERN_NAMES.items():
        problem = problem.replace(f"`str` matching regex {_regex(pattern)!r}", name)
    return f"{_line(root, path)}: {_dotted(path)}: {problem}"


def _dotted(path: Sequence[Key]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".") or "ticket"


def _line(root: yaml.Node | None, path: Sequence[Key]) -> int:
    node, line = root, 1
    for step in path:
        parts = _parts(node)
        if step not in parts:
            break
        line, node = parts[step]
    return line


def _parts(node: yaml.Node | None) -> dict[Key, tuple[int, yaml.Node]]:
    """Return the entries or items of a node, each with its line."""
    if isinstance(node, yaml.SequenceNode):
        return {number: (line_of(item), item) for number, item in enumerate(node.value)}
    if isinstance(node, yaml.MappingNode):
        return {key.value: (line_of(key), value) for key, value in node.value}
    return {}


def _keys_at(path: Sequence[Key], root: yaml.Node | None) -> list[str]:
    kinds = [kind for kind in _types_at(path, root) if isinstance(kind, inspect.StructType)]
    keys = [TAG] if any(kind.tag for kind in kinds) else []
    return [*keys, *(field.encode_name for kind in kinds for field in kind.fields)]


def _words_at(path: Sequence[Key], root: yaml.Node | None) -> list[str]:
    kinds = [kind for kind in _types_at(path, root) if isinstance(kind, inspect.EnumType)]
    return [str(word.value) for kind in kinds for word in kind.cls]


def _types_at(path: Sequence[Key], root: yaml.Node | None) -> list[inspect.Type]:
    """Return the types that the record allows at a path, several for a union."""
    kinds, value = _choices(inspect.type_info(Ticket), None), value_of(root)
    for step in path:
        value = _value_at(value, step)
        kinds = [
            choice
            for kind in kinds
            for part in _part(kind, step)
            for choice in _choices(part, value)
        ]
    return kinds


def _value_at(value: YamlValue, step: Key) -> YamlValue:
    if isinstance(value, list) and isinstance(step, int):
        return value[step]
    return value.get(str(step)) if isinstance(value, dict) else None


def _choices(kind: inspect.Type, value: YamlValue) -> list[inspect.Type]:
    """Return the types that a value may have, only the tagged one if the value has a known tag."""
    if not isinstance(kind, inspect.UnionType):
        return [kind]
    tag = value.get(TAG) if isinstance(value, dict) else None
    tagged = [one for one in kind.types if isinstance(one, inspect.StructType) and one.tag == tag]
    return list(tagged) if tag is not None and tagged else list(kind.types)


def _part(kind: inspect.Type, step: Key) -> list[inspect.Type]:
    if isinstance(kind, inspect.ListType) and isinstance(step, int):
        return [kind.item_type]
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    return []


def _regex(annotated: object) -> str:
    kind = inspect.type_info(annotated)
    assert isinstance(kind, inspect.StrType)
    return kind.pattern or ""
