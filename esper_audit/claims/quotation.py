"""A quotation as it is searched: pieces of tokens, between which code is left out.

Comments do not count. `...`, a comment with dots (`# ... later ...`) and a comment that names lines
(`# Later at lines 330-336`) mark an omission.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from esper_audit.claims.code_tokens import CLOSING, OPENING, CodeTokens, Token
from esper_audit.claims.ellipsis import GAP

DOTS = re.compile(r"#\s*(?:\.{3}|…).*|#.*(?:\.{3}|…)\s*")
# At most three words and a bracket stand in front: `# OLD (line 12-19)`, `# Later at lines 330-336`.
NAMED_LINES = re.compile(
    r"#?\W*(?:[A-Za-z]+\W+){0,3}?lines?\s*:?\s*(?P<lines>L?\d+(?:\s*[-–]\s*L?\d+)?(?:,\s*L?\d+(?:\s*[-–]\s*L?\d+)?)*)",
    re.IGNORECASE,
)
RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*L?(\d+))?")
LEAST_OF_A_PIECE = 3
Span = tuple[int, int]


class Omission(enum.Enum):
    """What a mark of omission may stand for."""

    IN_BRACKETS = "anything up to the end of the bracket"
    IN_LINE = "anything up to the end of the line"
    LINES = "lines of the same block and of those inside it"


class Segment(NamedTuple):
    """Tokens that follow each other, and what is left out in front of them."""

    tokens: tuple[Token, ...]
    before: Omission | None = None


class Quotation(NamedTuple):
    """The pieces of a quotation, each of which a file contains somewhere, and the lines that it cites."""

    pieces: tuple[tuple[Segment, ...], ...]
    cited: tuple[Span, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is left out."""
        return len(self.pieces) == 1 and len(self.pieces[0]) == 1


def read_quotation(code: CodeTokens) -> Quotation:
    """Return a quotation with the omissions that it marks."""
    ends = [token.line for token in _line_comments(code) if NAMED_LINES.match(token.text)]
    cited = [span for token in code.comments for span in named_lines(token.text)]
    return _quotation(code, ends, cited)


def with_unmarked_breaks(code: CodeTokens) -> Quotation:
    """Return a quotation in which blank lines and lines of comment mark omissions too."""
    blank = [number for number, line in enumerate(code.lines, 1) if not line.strip()]
    return _quotation(code, [*blank, *(token.line for token in _line_comments(code))])


def line_by_line(code: CodeTokens) -> Quotation:
    """Return a quotation in which something may be left out in front of each line."""
    whole = read_quotation(code)
    return Quotation(tuple(tuple(_lines_of(piece)) for piece in whole.pieces), whole.cited)


def named_lines(text: str) -> Iterator[Span]:
    """Yield the lines that words name: `lines 12-15, 20`."""
    found = NAMED_LINES.match(text)
    yield from line_ranges(found["lines"]) if found else ()


def line_ranges(lines: str) -> list[Span]:
    """Return the ranges of line numbers in a text: `12`, `12-15` or `12-15, 20`."""
    return [(int(match[1]), int(match[2] or match[1])) for match in RANGE.finditer(lines)]


def _quotation(code: CodeTokens, breaks: Iterable[int], cited: Sequence[Span] = ()) -> Quotation:
    dots = [
        Token(GAP, token.line, token.indent)
        for token in _line_comments(code)
        if DOTS.fullmatch(token.text)
    ]
    tokens = sorted([*_first_line_aligned(code.code), *dots], key=lambda token: token.line)
    pieces = [tuple(_segments(piece)) for piece in _split(tokens, sorted(breaks))]
    return Quotation(tuple(piece for piece in pieces if piece), tuple(cited))


def _line_comments(code: CodeTokens) -> list[Token]:
    """Return the comments that are alone on their line."""
    with_code = {token.line for token in code.code}
    return [token for token in code.comments if token.line not in with_code]


def _split(tokens: Sequence[Token], breaks: Sequence[int]) -> Iterator[list[Token]]:
    """Yield the tokens between the lines at which a quotation breaks off, outside brackets."""
    piece: list[Token] = []
    depth = 0
    left = list(breaks)
    for token in tokens:
        passed = [line for line in left if line < token.line]
        left = left[len(passed) :]
        if passed and depth == 0 and token.begins_line and piece:
            yield piece
            piece = []
        piece.append(token)
        depth = _depth_after(depth, token)
    if piece:
        yield piece


def _segments(tokens: Sequence[Token]) -> Iterator[Segment]:
    depth = 0
    before: Omission | None = None
    found: list[Token] = []
    for token in tokens:
        if token.text == GAP and not token.is_string:
            while found and found[-1].text == ",":
                found.pop()
            if found:
                yield Segment(tuple(found), before)
                found = []
                before = None
            before = _wider(before, _omission(depth, token))
            continue
        depth = _depth_after(depth, token)
        if not found and before is not None and token.text == ",":
            continue
        if before is Omission.IN_LINE and not found and token.begins_line:
            before = Omission.LINES
        found.append(token)
    if found:
        yield Segment(tuple(found), before)


def _omission(depth: int, gap: Token) -> Omission:
    if depth > 0:
        return Omission.IN_BRACKETS
    return Omission.LINES if gap.begins_line else Omission.IN_LINE


def _wider(one: Omission | None, other: Omission) -> Omission:
    return other if one is None or other is Omission.LINES else one


def _depth_after(depth: int, token: Token) -> int:
    if token.is_string:
        return depth
    return max(0, depth + (token.text in OPENING) - (token.text in CLOSING))


def _first_line_aligned(code: Sequence[Token]) -> Sequence[Token]:
    """Return tokens whose first line has the indentation of the second, if it was copied without its own."""
    starts = [position for position, token in enumerate(code) if token.begins_line]
    if len(starts) < 2 or code[0].indent >= code[starts[1]].indent:
        return code
    if code[starts[1] - 1].text == ":":
        return code
    return [code[0]._replace(indent=code[starts[1]].indent), *code[1:]]


def _lines_of(piece: Sequence[Segment]) -> Iterator[Segment]:
    """Yield a piece with its segments split into logical lines."""
    for segment in piece:
        starts = [n for n, token in enumerate(segment.tokens) if n and token.begins_line]
        for first, end in zip([0, *starts], [*starts, len(segment.tokens)], strict=True):
            before = Omission.LINES if first else segment.before
            yield Segment(segment.tokens[first:end], before)
