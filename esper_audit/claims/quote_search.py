"""Where a file contains a quotation, and how faithfully."""

from __future__ import annotations

import ast
import enum
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.claims.code_tokens import CLOSING, OPENING, CodeTokens, Token, words_of
from esper_audit.claims.ellipsis import GAP
from esper_audit.claims.quotation import (
    LEAST_OF_A_PIECE,
    Omission,
    Quotation,
    Segment,
    Span,
    line_by_line,
    read_quotation,
    with_unmarked_breaks,
)
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.fingerprint import normalised_code

MOST_STEPS = 100_000  # tokens that the search for a piece passes before it gives up
LINES_BETWEEN = 10
NAME = re.compile(r"[^\W\d]\w*(?![\"'\w])")
Indents = tuple[tuple[int, int], ...]


class Fidelity(enum.Enum):
    """How a file contains a quotation."""

    EXACT = "the file contains the code as quoted"
    LAYOUT = "the file contains the code in another layout or with other comments"
    SHORTENED = "the file contains the code, of which the quotation leaves parts out"
    INTERRUPTED = "the file contains the lines quoted, with other lines between them"
    COMMENT = "the file contains the comment as quoted"


class Found(NamedTuple):
    """Where a file contains a quotation: the lines of the whole, or of each piece."""

    fidelity: Fidelity
    spans: tuple[Span, ...]


def find_quotation(code: str, text: CodeTokens, source: Source | None = None) -> Found | None:
    """Return where a text contains a quotation, None if it does not.

    With `source`, the parsed text, redundant brackets and divided strings do not count either.
    """
    spans = _exact_spans(code, text)
    if spans:
        return Found(Fidelity.EXACT, spans)
    quoted = CodeTokens(code, is_python=text.is_python)
    marked = read_quotation(quoted)
    if not marked.pieces:
        return _comment(quoted, text)
    spans = _spans(marked, text)
    if spans:
        return Found(Fidelity.LAYOUT if marked.is_whole else Fidelity.SHORTENED, spans)
    rewritten = _same_statements(code, source) if source is not None else ()
    if rewritten:
        return Found(Fidelity.LAYOUT, rewritten)
    broken = with_unmarked_breaks(quoted)
    is_specific = all(_size(piece) >= LEAST_OF_A_PIECE for piece in broken.pieces)
    spans = _spans(broken, text) if is_specific else ()
    if spans:
        return Found(Fidelity.SHORTENED, spans)
    spans = tuple(s for s in _spans(line_by_line(quoted), text) if _is_near(s, quoted))
    return Found(Fidelity.INTERRUPTED, spans) if spans else None


def missing_line(code: str, text: CodeTokens) -> str:
    """Return the first line of a quotation that a text does not contain, empty if it contains each."""
    quoted = CodeTokens(code, is_python=text.is_python)
    for piece in line_by_line(quoted).pieces:
        for segment in piece:
            if not _spans(Quotation(((Segment(segment.tokens),),)), text):
                return quoted.lines[segment.tokens[0].line - 1].strip()
    return ""


def is_comment(code: str) -> bool:
    """Return whether a quotation has comments and no code."""
    quoted = CodeTokens(code)
    return not read_quotation(quoted).pieces and bool(quoted.comments)


def _comment(quoted: CodeTokens, text: CodeTokens) -> Found | None:
    wanted = " ".join(filter(None, (words_of(token.text) for token in quoted.comments)))
    if not wanted or f" {wanted} " not in f" {text.comment_words} ":
        return None
    first = next(words_of(token.text) for token in quoted.comments if words_of(token.text))
    lines = [token.line for token in text.comments if first in words_of(token.text)]
    return Found(Fidelity.COMMENT, tuple((line, line) for line in lines))


def _size(piece: Sequence[Segment]) -> int:
    return sum(len(segment.tokens) for segment in piece)


def _is_near(span: Span, quoted: CodeTokens) -> bool:
    """Return whether lines are not many more than those of the quotation."""
    return span[1] - span[0] <= 2 * len(quoted.lines) + LINES_BETWEEN


def _exact_spans(code: str, text: CodeTokens) -> tuple[Span, ...]:
    """Return where a text contains the lines of a quotation, whatever the indentation of the whole."""
    wanted = _plain_lines(code.splitlines())
    first = wanted[0].strip()
    found = []
    for start in range(len(text.lines) - len(wanted) + 1):
        lines = text.lines[start : start + len(wanted)]
        if lines[0].strip() == first and _plain_lines(lines) == wanted:
            found.append((start + 1, start + len(wanted)))
    return tuple(found)


def _plain_lines(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n").split("\n")


def _spans(quotation: Quotation, text: CodeTokens) -> tuple[Span, ...]:
    """Return the lines at which a text contains all pieces of a quotation, those of each piece."""
    found = [_PieceSearch(piece, text).spans() for piece in quotation.pieces]
    return tuple(span for spans in found for span in spans) if all(found) else ()


class _PieceSearch:
    """The search for one piece in a text."""

    def __init__(self, piece: Sequence[Segment], text: CodeTokens) -> None:
        self._piece = piece
        self._text = text
        self._code = text.code
        self._steps = 0

    def spans(self) -> list[Span]:
        """Return the first and last line of each place."""
        found = []
        first = self._piece[0].tokens[0]
        starts: Sequence[int] = self._text.positions.get(first.text, ())
        if first.is_string:
            starts = range(len(self._code))
        for start in starts:
            end = self._end(0, start, ())
            if end is not None:
                found.append((self._code[start].line, self._last_line(end)))
        return found

    def _last_line(self, end: int) -> int:
        return self._code[end - 1].last

    def _end(self, number: int, start: int, indents: Indents) -> int | None:
        """Return the position behind the segments from a number on, if they match from a position on."""
        matched = self._matched(self._piece[number].tokens, start, indents)
        if matched is None or self._steps > MOST_STEPS:
            return None
        end, known = matched
        if number + 1 == len(self._piece):
            return end
        for candidate in self._candidates(self._piece[number + 1], end, known):
            whole = self._end(number + 1, candidate, known)
            if whole is not None:
                return whole
        return None

    def _matched(
        self, quoted: Sequence[Token], start: int, indents: Indents
    ) -> tuple[int, Indents] | None:
        """Return the position behind a segment, and the indentations of its lines, None if it differs.

        A docstring that the quotation leaves out is passed over.
        """
        at = start
        for number, token in enumerate(quoted):
            while at < len(self._code) and number and _is_left_out(token, self._code[at]):
                at += 1
            if at >= len(self._code) or not _is_same(token, self._code[at]):
                return None
            own = self._code[at]
            if own.begins_line and token.begins_line:
                pair = (token.indent, own.indent)
                if not all(_is_same_order(pair, other) for other in indents):
                    return None
                indents = indents if pair in indents else (*indents, pair)
            elif own.begins_line and number and quoted[number - 1].text != ":":
                return None
            at += 1
        return at, indents

    def _candidates(self, segment: Segment, end: int, indents: Indents) -> Iterator[int]:
        """Yield the positions at which a segment may begin behind what is left out."""
        first = segment.tokens[0]
        owner = max((pair for pair in indents if pair[0] < first.indent), default=None)
        depth = 0
        for at in range(end, len(self._code)):
            own = self._code[at]
            self._steps += 1
            if self._steps > MOST_STEPS:
                return
            if segment.before is Omission.IN_LINE and own.begins_line and at > end:
                return
            is_after = own.begins_line and owner is not None and own.indent <= owner[1]
            if segment.before is Omission.LINES and first.begins_line and is_after:
                return
            if _is_same(first, own):
                yield at
            if segment.before is Omission.IN_BRACKETS and not own.is_string:
                depth += (own.text in OPENING) - (own.text in CLOSING)
                if depth < 0:
                    return


def _is_left_out(quoted: Token, own: Token) -> bool:
    return own.is_docstring and not (quoted.is_docstring and _is_same(quoted, own))


def _is_same_order(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return (one[0] < other[0]) == (one[1] < other[1]) and (one[0] == other[0]) == (
        one[1] == other[1]
    )


def _is_same(quoted: Token, own: Token) -> bool:
    """Return whether a token is the quoted one, of a docstring also whether it contains the quoted words."""
    if quoted.is_string != own.is_string:
        return False
    if quoted.text == own.text or not quoted.is_string:
        return quoted.text == own.text
    if not (quoted.is_docstring and own.is_docstring) and GAP not in quoted.text:
        return False
    parts = [words_of(part) for part in quoted.text.partition(":")[2].split(GAP)]
    rest = f" {words_of(own.text.partition(':')[2])} "
    for part in filter(None, parts):
        _, found, rest = rest.partition(f" {part} ")
        if not found:
            return False
        rest = f" {rest}"
    return True


def _same_statements(code: str, source: Source) -> tuple[Span, ...]:
    """Return where a file has the same statements after normalisation."""
    statements = _statements(code)
    kinds = [type(statement) for statement in statements]
    normalised = normalised_code(code) if statements else ""
    names = set(NAME.findall("\n".join(ast.unparse(one) for one in statements)))
    found = []
    for block in _blocks(source.tree) if statements else ():
        for start in range(len(block) - len(kinds) + 1):
            run = block[start : start + len(kinds)]
            if [type(statement) for statement in run] != kinds:
                continue
            first, last = first_line(run[0]), last_line(run[-1])
            own = "".join(source.lines[first - 1 : last])
            if names <= set(NAME.findall(own)) and normalised_code(own) == normalised:
                found.append((first, last))
    return tuple(found)


def _statements(code: str) -> list[ast.stmt]:
    """Return the statements of code, none if it is not complete."""
    try:
        return ast.parse(textwrap.dedent(code)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for node in walk(tree):
        if isinstance(node, ast.stmt):
            yield from (block for block in blocks(node) if block)
