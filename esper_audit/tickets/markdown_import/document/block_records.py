"""The parts of a Markdown text with their source lines: blocks, list items and headings."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

TOP_LEVEL = 2
LOWEST_LEVEL = 6


class BlockKind(enum.Enum):
    """The kinds of block."""

    PARAGRAPH = "paragraph"
    TABLE = "table"
    LIST = "list"
    FENCE = "fence"
    RULE = "rule"
    OTHER = "other"


class ListItem(msgspec.Struct, frozen=True):
    """An item of a list: whether its box is ticked (None without box), and its text without marker.

    Its lines in the block are those from `start` up to, not including, `stop`.
    """

    done: bool | None
    text: str
    start: int = 0
    stop: int = 0


class MarkdownBlock(msgspec.Struct, frozen=True):
    """A block with its source lines.

    `first` is the number of its first line, from 0.

    `blank_before` counts the blank lines before it. `items` are those of a list, `language` and `code`
    those of a fence.
    """

    kind: BlockKind
    lines: tuple[str, ...]
    first: int
    blank_before: int = 0
    items: tuple[ListItem, ...] = ()
    language: str = ""
    code: str = ""

    @property
    def text(self) -> str:
        """The source lines."""
        return "\n".join(self.lines)

    @property
    def end(self) -> int:
        """The number of the line after the block."""
        return self.first + len(self.lines)

    def without(self, removed: Sequence[ListItem]) -> list[MarkdownBlock]:
        """Return a list without some items, as one list for each run of the remaining items."""
        runs: list[list[ListItem]] = [[]]
        for item in self.items:
            if any(item is other for other in removed):
                runs.append([])
            else:
                runs[-1].append(item)
        return [
            msgspec.structs.replace(
                self,
                lines=self.lines[run[0].start : run[-1].stop],
                first=self.first + run[0].start,
                items=tuple(run),
            )
            for run in runs
            if run
        ]

    def is_adjacent_to(self, other: MarkdownBlock) -> bool:
        """Return whether only blank lines separate another block from this one."""
        return self.first - self.blank_before == other.end


class Heading(msgspec.Struct, frozen=True):
    """A heading: its text without markup of the level, its level from 1 to 6, its source."""

    title: str
    level: int
    text: str

    def at(self, level: int) -> Heading:
        """Return the heading at another level, limited to 2 to 6."""
        level = min(max(level, TOP_LEVEL), LOWEST_LEVEL)
        if level == self.level and self.text.startswith("#"):
            return self
        return Heading(self.title, level, f"{'#' * level} {self.title}")
