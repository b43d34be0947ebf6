"""A Markdown text as a tree of sections, each with its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import (
    TOP_LEVEL,
    BlockKind,
    Heading,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.parse import parts_of


class DocumentSection(msgspec.Struct, frozen=True):
    """A heading with the blocks and sections below it, up to the next heading of its level."""

    title: str
    level: int
    heading: str
    blocks: tuple[MarkdownBlock, ...] = ()
    children: tuple[DocumentSection, ...] = ()

    @property
    def nodes(self) -> tuple[MarkdownBlock | DocumentSection, ...]:
        """The blocks, then the sections below."""
        return (*self.blocks, *self.children)

    @property
    def text(self) -> str:
        """The source with the heading."""
        return "\n\n".join(filter(None, [self.heading, text_of(self.nodes)]))

    def moved(self, by: int) -> DocumentSection:
        """Return the section with all below it `by` levels deeper, a negative number for higher."""
        if not by:
            return self
        heading = Heading(self.title, self.level, self.heading).at(self.level + by)
        children = tuple(child.moved(by) for child in self.children)
        return msgspec.structs.replace(
            self, level=heading.level, heading=heading.text, children=children
        )


class Document(msgspec.Struct, frozen=True):
    """A text: its title, the lines of its front matter, the blocks before the first section, the sections."""

    title: str
    front: tuple[str, ...]
    preamble: tuple[MarkdownBlock, ...]
    sections: tuple[DocumentSection, ...]


def read_document(text: str) -> Document:
    """Return a text as a document.

    The uppermost sections get level 2 if no heading but the title is above them.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    front, body = _front_matter(lines)
    parts = parts_of(body)
    titled = _title(parts)
    if titled is not None:
        parts.remove(titled)
    preamble, sections = _section_tree(_with_top_level(parts))
    title = titled.title if titled else ""
    return Document(title, front, _strip_rules(preamble), sections)


def text_of(nodes: Sequence[MarkdownBlock | DocumentSection]) -> str:
    """Return the source of nodes: adjacent blocks unchanged, a blank line between others.

    Rules at either end separate sections and are omitted.
    """
    text = ""
    before: MarkdownBlock | DocumentSection | None = None
    for node in _strip_rules(nodes):
        text += _separator(before, node) + node.text
        before = node
    return text


def _separator(
    before: MarkdownBlock | DocumentSection | None, node: MarkdownBlock | DocumentSection
) -> str:
    if before is None:
        return ""
    if (
        isinstance(before, MarkdownBlock)
        and isinstance(node, MarkdownBlock)
        and node.is_adjacent_to(before)
    ):
        return "\n" * (1 + node.blank_before)
    return "\n\n"


Node = TypeVar("Node", MarkdownBlock, MarkdownBlock | DocumentSection)


def _strip_rules(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return nodes without the rules at either end, which separate sections."""
    kept = list(nodes)
    while kept and _is_rule(kept[0]):
        kept.pop(0)
    while kept and _is_rule(kept[-1]):
        kept.pop()
    return tuple(kept)


def _is_rule(node: MarkdownBlock | DocumentSection) -> bool:
    return isinstance(node, MarkdownBlock) and node.kind is BlockKind.RULE


def _front_matter(lines: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the `key: value` lines between `---` at the top, and the remaining lines."""
    if lines[0].rstrip() != "---":
        return (), lines
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    inside = lines[1:end]
    keyed = [line for line in inside if line.strip() and not line.startswith((" ", "#", "-"))]
    if not keyed or not all(":" in line for line in keyed):
        return (), lines
    return tuple(inside), lines[end + 1 :]


def _title(parts: Iterable[MarkdownBlock | Heading]) -> Heading | None:
    """Return the title: the first heading if it is the only one of the highest level."""
    headings = [part for part in parts if isinstance(part, Heading)]
    if not headings:
        return None
    first, others = headings[0], headings[1:]
    above_all = all(other.level > first.level for other in others)
    return first if first.level == 1 or above_all else None


def _with_top_level(parts: Sequence[MarkdownBlock | Heading]) -> list[MarkdownBlock | Heading]:
    """Shift the levels of headings so that the uppermost sections have level 2."""
    levels = [part.level for part in parts if isinstance(part, Heading)]
    if not levels:
        return list(parts)
    shift = TOP_LEVEL - min(levels)
    if shift > 0 and levels.count(1) < max(2, levels.count(TOP_LEVEL)):
        shift = 0  # a stray `#` between sections of `##`
    return [part.at(part.level + shift) if isinstance(part, Heading) else part for part in parts]


def _section_tree(
    parts: Sequence[MarkdownBlock | Heading],
) -> tuple[tuple[MarkdownBlock, ...], tuple[DocumentSection, ...]]:
    """Return the blocks before the first heading, and the sections with their subsections."""
    blocks: list[MarkdownBlock] = []
    sections: list[DocumentSection] = []
    position = 0
    while position < len(parts):
        part = parts[position]
        position += 1
        if isinstance(part, MarkdownBlock):
            blocks.append(part)
            continue
        end = position
        while end < len(parts) and _is_below(parts[end], part.level):
            end += 1
        inner, children = _section_tree(parts[position:end])
        inner = _strip_rules(inner)
        sections.append(DocumentSection(part.title, part.level, part.text, inner, children))
        position = end
    return tuple(blocks), tuple(sections)


def _is_below(part: MarkdownBlock | Heading, level: int) -> bool:
    return isinstance(part, MarkdownBlock) or part.level > level
