"""YAML of a ticket as text, tree and value: the core schema (`no` is a word, a date is text), no key twice."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

import yaml

from esper_audit.errors import TicketError

Scalar: TypeAlias = "str | int | float | bool | None"
Value: TypeAlias = "dict[str, Value] | list[Value] | Scalar"
PREFIX = "tag:yaml.org,2002:"
MAPPING, SEQUENCE = f"{PREFIX}map", f"{PREFIX}seq"
# Each is narrower than what PyYAML would read so, and therefore than what it writes without quotes.
PLAIN = {
    "null": (re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")),
    "float": (
        re.compile(r"^([-+]?([0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN))$"),
        list("-+.0123456789"),
    ),
}
OPENERS = ("[", "{", "- ", "? ")
SUSPICIOUSLY_MANY = 5_000
DEEPEST = 100
TOO_DEEP = "1: no YAML: too many lists and mappings inside each other"


class _Loader(yaml.CSafeLoader):
    """The parser of libyaml with the four plain types above."""


_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in PLAIN.items():
    _Loader.add_implicit_resolver(f"{PREFIX}{_name}", _pattern, _first)


def compose(text: str) -> yaml.Node | None:
    """Return the tree of a text's one document; raises TicketError with the line."""
    try:
        _refuse_what_is_too_deep(text)
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = ", ".join(filter(None, (error.context, error.problem)))
        raise TicketError(f"{line}: no YAML: {said}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TicketError(f"1: no YAML: {' '.join(str(error).split())}") from error
    return node


def value_of(node: yaml.Node | None) -> Value:
    """Return what a tree means; raises TicketError (its message begins with the line)."""
    try:
        return _value(node)
    except RecursionError as error:
        raise TicketError(TOO_DEEP) from error


def _refuse_what_is_too_deep(text: str) -> None:
    """Libyaml's tree builder ends the process on a text with very many brackets inside each other."""
    if sum(map(text.count, OPENERS)) < SUSPICIOUSLY_MANY:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise TicketError(TOO_DEEP)


def _value(node: yaml.Node | None) -> Value:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == SEQUENCE:
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == MAPPING:
        return _mapping(node)
    if node is None:
        return None
    raise TicketError(f"{line_of(node)}: the tag {node.tag} is none that a ticket has")


def line_of(node: yaml.Node) -> int:
    """Return the line on which a node begins, from 1."""
    line: int = node.start_mark.line
    return line + 1


def _mapping(node: yaml.MappingNode) -> Value:
    found: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if not isinstance(key, str):
            raise TicketError(f"{line_of(key_node)}: a key has to be a word")
        if key in found:
            raise TicketError(f"{line_of(key_node)}: {key}: the key stands here twice")
        found[key] = _value(value_node)
    return found


def _scalar(node: yaml.ScalarNode) -> Scalar:
    text: str = node.value
    read = READERS.get(node.tag)
    if read is None:
        raise TicketError(f"{line_of(node)}: the tag {node.tag} is none that a ticket has")
    return read(text)


def _float(text: str) -> float:
    word = text.lower().lstrip("+-.")
    if word in ("inf", "nan"):
        return math.copysign(float(word), -1 if text.startswith("-") else 1)
    return float(text)


READERS: dict[str, Callable[[str], Scalar]] = {
    f"{PREFIX}str": str,
    f"{PREFIX}null": lambda _: None,
    f"{PREFIX}bool": lambda text: text.lower() == "true",
    f"{PREFIX}int": int,
    f"{PREFIX}float": _float,
}
