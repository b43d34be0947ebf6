"""Where the nodes of a YAML tree stand in its text: real ends, lines, comments behind them."""

from __future__ import annotations

import re

import yaml

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
        """Say whether a line ends right in front of a position."""
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
