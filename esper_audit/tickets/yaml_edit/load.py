"""Loading the YAML of a ticket by the core schema: `no` and dates are text, and keys are unique."""

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
BLOCK_STYLES = ("|", ">")


class YamlText:
    """A YAML text with queries for positions in it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def end(self, node: yaml.Node) -> int:
        """Return the end of a node without the blank lines and comments that libyaml includes."""
        if isinstance(node, yaml.ScalarNode):
            return (
                self._end_of_block(node)
                if node.style in BLOCK_STYLES
                else self._mark(node.end_mark)
            )
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            return self._mark(node.end_mark)
        last = node.value[-1]
        return self.end(last[1] if isinstance(node, yaml.MappingNode) else last)

    def after(self, node: yaml.Node, sign: str) -> int:
        """Return the position after the first `sign` that follows a node.

        Raises ValueError without one.
        """
        return self.text.index(sign, self._mark(node.end_mark)) + 1

    def line_start(self, position: int) -> int:
        """Return the beginning of the line of a position."""
        return max(self.text.rfind("\n", 0, position), self.text.rfind("\r", 0, position)) + 1

    def line_end(self, position: int) -> int:
        """Return the beginning of the line after that of a position."""
        match = REST_OF_LINE.match(self.text, position)
        return match.end() if match else len(self.text)

    def is_after_line_end(self, position: int) -> bool:
        """Return whether a line ends directly before a position."""
        return self.text[position - 1 : position] in ("\n", "\r")

    def dash(self, item: yaml.Node, column: int) -> int:
        """Return the position of the dash of a list item in `column`.

        Raises ValueError without one.
        """
        position = self._mark(item.start_mark)
        while True:
            position = self.text.rindex("-", 0, position)
            if position - self.line_start(position) == column:
                return position

    def comment_at(self, position: int) -> str:
        """Return the comment after a position on its line with the space before it, empty without one."""
        match = COMMENT.match(self.text, position)
        return match[0] if match else ""

    def comment_inside(self, node: yaml.Node, lead: int) -> str:
        """Return the comment on the first line of a value, empty without one.

        It is after the `|` of a block, or after the colon or dash at `lead` if the value begins on the
        next line.
        """
        start = self._mark(node.start_mark)
        if isinstance(node, yaml.ScalarNode) and node.style in BLOCK_STYLES:
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


YamlScalar: TypeAlias = "str | int | float | bool | None"
YamlValue: TypeAlias = "dict[str, YamlValue] | list[YamlValue] | YamlScalar"
PREFIX = "tag:yaml.org,2002:"
MAPPING, SEQUENCE = f"{PREFIX}map", f"{PREFIX}seq"
# Each is narrower than the pattern of PyYAML, so that PyYAML quotes every text that matches one.
PLAIN_PATTERNS = {
    "null": (re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")),
    "float": (
        re.compile(r"^([-+]?([0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN))$"),
        list("-+.0123456789"),
    ),
}
OPENERS = ("[", "{", "- ", "? ")
MIN_SUSPICIOUS_OPENERS = 5_000
MAX_DEPTH = 100
MAX_VALUES = 1_000_000  # with aliases expanded; the longest ticket of a real project has 2,000
MAX_INTEGER_LENGTH = 100
SHOWN_LENGTH = 30
INTEGERS = range(-(2**63), 2**64)  # those that msgspec can encode
TOO_DEEP = (
    f"1: invalid YAML: lists and mappings are nested too deep (got more than {MAX_DEPTH} levels)"
)


class _Loader(yaml.CSafeLoader):
    """The parser of libyaml with the patterns for plain values above."""


_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in PLAIN_PATTERNS.items():
    _Loader.add_implicit_resolver(f"{PREFIX}{_name}", _pattern, _first)


def compose(text: str) -> yaml.Node | None:
    """Return the syntax tree of the only document of a text.

    Raises TicketError whose message begins with the line.
    """
    try:
        _check_depth(text)
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise TicketError(f"{line}: invalid YAML: {problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TicketError(f"1: invalid YAML: {' '.join(str(error).split())}") from error
    return node


def value_of(node: yaml.Node | None) -> YamlValue:
    """Return the value of a syntax tree.

    Raises TicketError whose message begins with the line.
    """
    try:
        if node is not None and _size(node, {}) > MAX_VALUES:
            raise TicketError(
                f"{line_of(node)}: invalid YAML: aliases expand to more than {MAX_VALUES:,} values"
            )
        return _node_value(node)
    except RecursionError as error:
        raise TicketError(TOO_DEEP) from error


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of values in a tree with its aliases expanded."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        is_mapping = isinstance(node, yaml.MappingNode)
        below = (entry[1] for entry in node.value) if is_mapping else node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in below)
    return known[id(node)]


def _check_depth(text: str) -> None:
    """Raise TicketError for a text with which the tree builder of libyaml would end the process."""
    if sum(map(text.count, OPENERS)) < MIN_SUSPICIOUS_OPENERS:
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise TicketError(TOO_DEEP)
    except yaml.MarkedYAMLError as error:
        # From 6.0.4 on PyYAML has a limit of its own, which its scanner reaches ahead of the events.
        if error.problem_mark and _brackets_open(text[: error.problem_mark.index]) > MAX_DEPTH:
            raise TicketError(TOO_DEEP) from error
        raise


def _brackets_open(text: str) -> int:
    return text.count("[") + text.count("{") - text.count("]") - text.count("}")


def _node_value(node: yaml.Node | None) -> YamlValue:
    if isinstance(node, yaml.ScalarNode):
        return _scalar_value(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == SEQUENCE:
        return [_node_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == MAPPING:
        return _mapping_value(node)
    if node is None:
        return None
    raise _unsupported_tag(node)


def _unsupported_tag(node: yaml.Node) -> TicketError:
    tag = node.tag.replace(PREFIX, "!!")
    return TicketError(
        f"{line_of(node)}: unsupported tag {tag} (expected a plain value). Remove the tag."
    )


def line_of(node: yaml.Node) -> int:
    """Return the line on which a node begins, from 1."""
    line: int = node.start_mark.line
    return line + 1


def _mapping_value(node: yaml.MappingNode) -> YamlValue:
    found: dict[str, YamlValue] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if not isinstance(key, str):
            raise TicketError(f"{line_of(key_node)}: invalid key (expected a word)")
        if key in found:
            raise TicketError(f"{line_of(key_node)}: {key}: duplicate key")
        found[key] = _node_value(value_node)
    return found


def _scalar_value(node: yaml.ScalarNode) -> YamlScalar:
    text: str = node.value
    read = READERS.get(node.tag)
    if read is None:
        raise _unsupported_tag(node)
    try:
        return read(text)
    except ValueError as error:
        raise TicketError(f"{line_of(node)}: {error}") from error


def _integer_value(text: str) -> int:
    """Return an integer of at most 64 bits.

    Raises ValueError.
    """
    if len(text) > MAX_INTEGER_LENGTH or int(text) not in INTEGERS:
        shown = text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."
        raise ValueError(f"the integer is too large (got {shown}, expected at most 64 bits)")
    return int(text)


def _float_value(text: str) -> float:
    word = text.lower().lstrip("+-.")
    if word in ("inf", "nan"):
        return math.copysign(float(word), -1 if text.startswith("-") else 1)
    return float(text)


READERS: dict[str, Callable[[str], YamlScalar]] = {
    f"{PREFIX}str": str,
    f"{PREFIX}null": lambda _: None,
    f"{PREFIX}bool": lambda text: text.lower() == "true",
    f"{PREFIX}int": _integer_value,
    f"{PREFIX}float": _float_value,
}
