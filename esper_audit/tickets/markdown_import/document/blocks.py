"""The parts of a Markdown text, each with its source lines: blocks, items of lists, headings."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

TOP_LEVEL = 2
LOWEST_LEVEL = 6


class BlockKind(enum.Enum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    TABLE = "table"
    LIST = "list"
    FENCE = "fence"
    RULE = "rule"
    OTHER = "other"


class ListItem(msgspec.Struct, frozen=True):
    """An item of a list: whether its box is ticked (None: it has none), and its text without marker.

    `start` and `stop` are its lines in the block.
    """

    done: bool | None
    text: str
    start: int = 0
    stop: int = 0


class MarkdownBlock(msgspec.Struct, frozen=True):
    """A block with its source lines; `first` is the number of its first line, from 0.

    `blank_before` counts the blank lines in front of it. Of a fence, `language` and `code` say what it
    holds; of a list, `items`.
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
        """The source."""
        return "\n".join(self.lines)

    @property
    def end(self) -> int:
        """The number of the line behind the block."""
        return self.first + len(self.lines)

    def without(self, taken: Sequence[ListItem]) -> list[MarkdownBlock]:
        """Return what is left of a list without some items: a list for every run of the others."""
        runs: list[list[ListItem]] = [[]]
        for item in self.items:
            if any(item is other for other in taken):
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

    def follows(self, other: MarkdownBlock) -> bool:
        """Return whether nothing but blank lines stands between another block and this one."""
        return self.first - self.blank_before == other.end


class Heading(msgspec.Struct, frozen=True):
    """A heading: its words, its level, its source."""

    title: str
    level: int
    text: str

    def at(self, level: int) -> Heading:
        """Return the heading at another level, `##` at most, written with `#` where that changes it."""
        level = min(max(level, TOP_LEVEL), LOWEST_LEVEL)
        if level == self.level and self.text.startswith("#"):
            return self
        return Heading(self.title, level, f"{'#' * level} {self.title}")
