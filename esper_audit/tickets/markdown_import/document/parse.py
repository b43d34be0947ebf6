"""Parsing lines into blocks by the tokens of markdown-it, with four exceptions from its grammar.

- A line of dashes below a paragraph is a rule, not the underline of a heading.
- A table ends at a line that does not begin with a pipe.
- Rows without a delimiter row are a table.
- An unclosed fence ends at the next section.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import (
    BlockKind,
    Heading,
    ListItem,
    MarkdownBlock,
)

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

ROW = re.compile(r" {0,3}\|.*\|")
LABELLED = re.compile(r" {0,3}\*\*[^*|]+:\*\*")
MARKER = re.compile(r"\s*(?:[-*+]|\d+[.)])(?:[ \t]+|$)")
BOX = re.compile(r"\[(?P<mark>[ xX✓✔])\](?:\s+|$)")
RULE = re.compile(r" {0,3}-{3}\s*$")
SECTION = re.compile(r"#{1,2} ")

ParsedParts = Iterator[MarkdownBlock | Heading]


def parts_of(lines: Sequence[str]) -> list[MarkdownBlock | Heading]:
    """Return the blocks and headings of the lines in order.

    Only blank lines are omitted.
    """
    all_lines = list(lines)
    return [_with_blank_lines(part, all_lines) for part in _parts(all_lines, 0)]


def _with_blank_lines(part: MarkdownBlock | Heading, lines: list[str]) -> MarkdownBlock | Heading:
    """Return a block with the number of blank lines before it."""
    if isinstance(part, Heading):
        return part
    first = part.first
    while first and not lines[first - 1].strip():
        first -= 1
    return msgspec.structs.replace(part, blank_before=part.first - first)


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.block.ruler.at("html_block", _comment, {"alt": ["paragraph", "reference", "blockquote"]})
    return parser


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a closed comment as a block, a rule for markdown-it.

    Other HTML stays text.
    """
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    if not line.startswith("<!--") or state.is_code_block(start):
        return False
    for number in range(start, end):
        if "-->" in state.src[state.bMarks[number] : state.eMarks[number]]:
            break
    else:
        return False
    if not silent:
        state.line = number + 1
        token = state.push("html_block", "", 0)
        token.map = [start, state.line]
    return True


def _parts(lines: list[str], offset: int) -> ParsedParts:
    tokens = _parser().parse("\n".join(lines))
    end = 0
    for position, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        start = token.map[0]
        yield from _uncovered(lines, range(end, start), offset)
        end = _end(lines, token)
        if token.type == "fence" and (cut := _unclosed_end(lines, token, end)):
            yield _unclosed_fence(lines, range(start, cut), offset, token)
            yield from _parts(lines[cut:], offset + cut)
            return
        read = READERS.get(token.type, _other)
        yield from read(lines, range(start, end), offset, tokens[position:])
    yield from _uncovered(lines, range(end, len(lines)), offset)


def _end(lines: list[str], token: Token) -> int:
    """Return the line after a token, without blank lines at its end."""
    start, end = token.map or (0, 0)
    while token.type != "fence" and end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _block(lines: list[str], at: range, offset: int, kind: BlockKind) -> MarkdownBlock:
    return MarkdownBlock(kind, tuple(lines[at.start : at.stop]), offset + at.start)


def _uncovered(lines: list[str], between: range, offset: int) -> ParsedParts:
    """Yield the lines that no token covers, such as the definition of a link."""
    covered = [n for n in between if lines[n].strip()]
    if covered:
        yield _block(lines, range(covered[0], covered[-1] + 1), offset, BlockKind.OTHER)


def _other(lines: list[str], at: range, offset: int, _tokens: Sequence[Token]) -> ParsedParts:
    yield _block(lines, at, offset, BlockKind.OTHER)


def _rule(lines: list[str], at: range, offset: int, _tokens: Sequence[Token]) -> ParsedParts:
    yield _block(lines, at, offset, BlockKind.RULE)


def _heading(lines: list[str], at: range, offset: int, tokens: Sequence[Token]) -> ParsedParts:
    """Yield a heading, or the paragraph and the rule that the grammar parses as a heading."""
    if tokens[0].markup == "-" and (len(at) > 2 or RULE.match(lines[at.stop - 1])):
        yield from _parts_within(lines, at.start, at.stop - 1, offset)
        yield _block(lines, range(at.stop - 1, at.stop), offset, BlockKind.RULE)
        return
    text = "\n".join(lines[at.start : at.stop])
    yield Heading(" ".join(tokens[1].content.split()), int(tokens[0].tag[1]), text)


def _table(lines: list[str], at: range, offset: int, tokens: Sequence[Token]) -> ParsedParts:
    if LABELLED.match(lines[at.start]):  # a line of prose with a pipe, above a rule
        yield from _paragraph(lines, at, offset, tokens)
        return
    end = at.stop
    if lines[at.start].lstrip().startswith("|"):
        after = (n for n in at[2:] if not lines[n].lstrip().startswith("|"))
        end = next(after, at.stop)
    yield _block(lines, range(at.start, end), offset, BlockKind.TABLE)
    yield from _parts_within(lines, end, at.stop, offset)


def _parts_within(lines: list[str], start: int, end: int, offset: int) -> ParsedParts:
    """Parse a range of lines without the lines around it."""
    if start < end:
        yield from _parts(lines[start:end], offset + start)


def _paragraph(lines: list[str], at: range, offset: int, _tokens: Sequence[Token]) -> ParsedParts:
    """Yield a paragraph, and its rows of a table as a table without a delimiter row."""
    for is_rows, numbers in itertools.groupby(at, lambda n: bool(ROW.match(lines[n]))):
        run = list(numbers)
        kind = BlockKind.TABLE if is_rows else BlockKind.PARAGRAPH
        yield _block(lines, range(run[0], run[-1] + 1), offset, kind)


def _list(lines: list[str], at: range, offset: int, tokens: Sequence[Token]) -> ParsedParts:
    items = []
    for token in tokens[1:]:
        if token.level == 0:
            break
        if token.type == "list_item_open" and token.level == 1 and token.map:
            start, stop = token.map[0], _end(lines, token)
            item = _item(lines[start:stop])
            placed = msgspec.structs.replace(item, start=start - at.start, stop=stop - at.start)
            items.append(placed)
    block = _block(lines, at, offset, BlockKind.LIST)
    yield msgspec.structs.replace(block, items=tuple(items))


def _item(lines: list[str]) -> ListItem:
    marker = MARKER.match(lines[0])
    width = marker.end() if marker else 0
    rest = [_dedented(line, width) for line in lines[1:]]
    text = "\n".join([lines[0][width:], *rest]).strip("\n")
    box = BOX.match(text)
    if box is None:
        return ListItem(None, text)
    return ListItem(box["mark"] != " ", text[box.end() :])


def _dedented(line: str, width: int) -> str:
    inner = line.lstrip(" \t")
    indent = line[: len(line) - len(inner)].expandtabs(4)
    return indent[width:] + inner


def _unclosed_end(lines: list[str], token: Token, end: int) -> int:
    """Return the end of an unclosed fence, 0 for a closed one.

    It is the rule before the next section, else the last line.
    """
    start = token.map[0] if token.map else 0
    last = lines[end - 1].strip() if end - 1 > start else ""
    if last.startswith(token.markup) and not last.strip(token.markup[0]):
        return 0
    for number in range(start + 1, end):
        following = next((line for line in lines[number + 1 : end] if line.strip()), "")
        if RULE.match(lines[number]) and SECTION.match(following):
            return number
    return end


def _unclosed_fence(lines: list[str], at: range, offset: int, token: Token) -> MarkdownBlock:
    """Return an unclosed fence with its closing line, so that text printed after it is not code."""
    inside = lines[at.start : at.stop]
    while len(inside) > 1 and not inside[-1].strip():
        inside.pop()
    block = _block(lines, range(at.start, at.start + len(inside)), offset, BlockKind.FENCE)
    return msgspec.structs.replace(
        block,
        lines=(*block.lines, token.markup),
        language=token.info.strip(),
        code="\n".join(inside[1:]),
    )


def _closed_fence(lines: list[str], at: range, offset: int, tokens: Sequence[Token]) -> ParsedParts:
    block = _block(lines, at, offset, BlockKind.FENCE)
    code = tokens[0].content.removesuffix("\n")
    yield msgspec.structs.replace(block, language=tokens[0].info.strip(), code=code)


Reader = Callable[[list[str], range, int, Sequence["Token"]], ParsedParts]
READERS: dict[str, Reader] = {
    "heading_open": _heading,
    "table_open": _table,
    "paragraph_open": _paragraph,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "fence": _closed_fence,
    "hr": _rule,
}
