"""Reading the recommended fix: prose, and options with a heading or a bold name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.parts import FixOption

OPTION = r"(?:Option|Alternative|Approach|Variant|Fix|Solution)"
NUMBERED = re.compile(
    rf"(?P<label>{OPTION} (?:[A-Z]|\d+))\b(?:\s*[:–—-]\s*|\s+(?=\())?(?P<name>.*)"
)
BOLD = re.compile(
    rf"\*\*(?P<name>{OPTION} (?:[A-Z]|\d+)\b[^*\n]*)\*\*:?[ \t]*(?P<text>.*)", re.DOTALL
)


def read_fixes(sections: Sequence[DocumentSection]) -> list[FixOption]:
    """Return the prose before the options, then each option."""
    blocks = [block for section in sections for block in section.blocks]
    children = [child for section in sections for child in section.children]
    named = [*_options(blocks), *((child.title, text_of(child.nodes)) for child in children)]
    return [fix_option(heading, text) for heading, text in named if heading or text]


def _options(blocks: Sequence[MarkdownBlock]) -> list[tuple[str, str]]:
    """Split blocks at paragraphs that begin with the bold name of an option.

    Return the name and the text of each.
    """
    options: list[tuple[str, str]] = []
    name, text, blocks_of_option = "", "", list[MarkdownBlock]()
    for block in blocks:
        match = BOLD.match(block.text) if block.kind is BlockKind.PARAGRAPH else None
        if match is None:
            blocks_of_option.append(block)
            continue
        options.append((name, _joined(text, blocks_of_option)))
        name, text = match["name"].strip().rstrip(": "), match["text"].strip()
        blocks_of_option = []
    return [*options, (name, _joined(text, blocks_of_option))]


def _joined(text: str, blocks: Sequence[MarkdownBlock]) -> str:
    return "\n\n".join(filter(None, [text, text_of(blocks)]))


def fix_option(heading: str, text: str) -> FixOption:
    """Return an option with the label of its heading (`Option A`) and its name."""
    numbered = NUMBERED.fullmatch(heading)
    if numbered:
        return FixOption(label=numbered["label"], option=numbered["name"].strip(), text=text)
    label, colon, option = (part.strip() for part in heading.partition(": "))
    if colon and label and option:
        return FixOption(label=label, option=option, text=text)
    return FixOption(label=heading, text=text)
