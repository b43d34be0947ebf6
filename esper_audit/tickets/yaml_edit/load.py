"""YAML of a ticket as text, tree and value: the core schema (`no` is a word, a date is text), no key twice."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

import yaml

from esper_audit.findings.errors import TicketError

COMMENT = re.compile(r"[ \t]+#[^\r\n]*")
REST_OF_LINE = re.compile(r"[^\r\n]*(\r\n|\n|\r|\Z)")
ONE_LINE_END = re.compile(r"(\r\n|\n|\r)\Z")
BLOCK = ("|", ">")


class YamlText:
    """A text and questions about positions in it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def end(self, node: yaml.Node) -> int:
        """Return where a node's last character ends; libyaml counts blank lines and comments in."""
        if isinstance(node, yaml.ScalarNode):
            return self._end_of_block(node) if node.style in BLOCK else self._mark(node.end_mark)
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            return self._mark(node.end_mark)
        last = node.value[-1]
        return self.end(last[1] if isinstance(node, yaml.MappingNode) else last)

    def behind(self, node: yaml.Node, sign: str) -> int:
        """Return the position behind the first `sign` that follows a node."""
        return self.text.index(sign, self._mark(node.end_mark)) + 1

    def line_start(self, position: int) -> int:
        """Return where the line of a position begins."""
        return max(self.text.rfind("\n", 0, position), self.text.rfind("\r", 0, position)) + 1

    def line_end(self, position: int) -> int:
        """Return where the line behind the one of a position begins."""
        match = REST_OF_LINE.match(self.text, position)
        return match.end() if match else len(self.text)

    def ends_line(self, position: int) -> bool:
        """Return whether a line ends right in front of a position."""
        return self.text[position - 1 : position] in ("\n", "\r")

    def dash(self, item: yaml.Node, column: int) -> int:
        """Return the position of the dash of a list's item; dashes of the list stand in `column`."""
        position = self._mark(item.start_mark)
        while True:
            position = self.text.rindex("-", 0, position)
            if position - self.line_start(position) == column:
                return position

    def comment_at(self, position: int) -> str:
        """Return the comment that follows a position on its line, the space in front included."""
        match = COMMENT.match(self.text, position)
        return match[0] if match else ""

    def comment_inside(self, node: yaml.Node, lead: int) -> str:
        """Return the comment on the first line of a value: behind the `|` of a block, or behind the
        colon or dash (at `lead`) of a value that begins on the next line.
        """
        start = self._mark(node.start_mark)
        if isinstance(node, yaml.ScalarNode) and node.style in BLOCK:
            match = COMMENT.search(self.text[start : self.line_end(start)])
            return match[0] if match else ""
        return self.comment_at(lead) if start > lead else ""

    def _end_of_block(self, node: yaml.ScalarNode) -> int:
        start = self._mark(node.start_mark)
        lines = self.text[start : self._mark(node.end_mark)].splitlines(keepends=True)
        keeps = "+" in lines[0].partition("#")[0]
        while len(lines) > 1 and not keeps and not lines[-1].strip():
            del lines[-1]
        return start + len(ONE_LINE_END.sub("", "".join(lines)))

    def _mark(self, mark: yaml.Mark) -> int:
        index: int = mark.index
        return index


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
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise TicketError(TOO_DEEP)
    except yaml.MarkedYAMLError as error:
        # From 6.0.4 on PyYAML has a limit of its own, which its scanner reaches ahead of the events.
        if error.problem_mark and _brackets_open(text[: error.problem_mark.index]) > DEEPEST:
            raise TicketError(TOO_DEEP) from error
        raise


def _brackets_open(text: str) -> int:
    return text.count("[") + text.count("{") - text.count("]") - text.count("}")


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
