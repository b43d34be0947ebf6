"""Read the comments that suppress findings: their grammar and the lines that each covers."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from esper_audit.source.syntax.enclosing import blocks, chain, first_line
from esper_audit.source.syntax.source import Source

MARK = "esper-audit:"
ALLOW = re.compile(
    r"# esper-audit: (?P<word>allow|allow-file) (?P<checks>[\w-]+(?:, ?[\w-]+)*)"
    r"(?: by (?P<owner>(?:(?! until | -- ).)+?))?(?: until (?P<until>\d{4}-\d{2}-\d{2}))?(?: -- (?P<reason>\S.*))?"
)
GRAMMAR = "# esper-audit: allow CHECK[, CHECK] [by NAME] [until YYYY-MM-DD] -- REASON"
AUTHORISED = re.compile(
    r"# (?P<word>\w+) AUTHORIZED by (?P<owner>.+?) on (?P<date>\d{4}-\d{2}-\d{2}.*)"
)
JUSTIFICATION = re.compile(r"# Justification: *(?P<reason>\S.*)")


class Comment(NamedTuple):
    """A comment of the source: its line and column, from 1, and whether it is alone on its line."""

    text: str
    line: int
    column: int
    alone: bool


class Authorisation(msgspec.Struct, frozen=True):
    """A comment that authorises findings of some checks on some lines, first and last included.

    An `overlapping` one covers every finding that overlaps the lines, any other one only the findings
    that start there.
    """

    comment: Comment
    origin: str
    checks: tuple[str, ...]
    first: int
    last: int
    overlapping: bool
    reason: str
    owner: str = ""
    until: str = ""


class Malformed(msgspec.Struct, frozen=True):
    """A comment that starts like an authorisation but does not follow the grammar."""

    comment: Comment
    message: str


def may_hold_comments(data: bytes) -> bool:
    """Return whether a file can contain a suppression comment."""
    return MARK.encode() in data or b" AUTHORIZED by " in data


def read_comments(
    source: Source, authorised_words: Mapping[str, str]
) -> tuple[list[Authorisation], list[Malformed]]:
    """Return the authorisations of a file.

    `authorised_words` maps words such as `hasattr` to checks.
    """
    reader = _CommentReader(source, authorised_words)
    for index, comment in enumerate(reader.comments):
        reader.read(index, comment)
    return reader.authorisations, reader.malformed


class _CommentReader:
    def __init__(self, source: Source, authorised_words: Mapping[str, str]) -> None:
        self._source = source
        self._words = authorised_words
        self.comments = _comments(source)
        self._comment_lines = {comment.line for comment in self.comments if comment.alone}
        self.authorisations: list[Authorisation] = []
        self.malformed: list[Malformed] = []

    def read(self, index: int, comment: Comment) -> None:
        """Add the authorisation of one comment, if it has one."""
        if comment.text.lstrip("# ").startswith(MARK):
            self._read_allow(comment)
        elif " AUTHORIZED by " in comment.text:
            self._read_authorised(index, comment)

    def _read_allow(self, comment: Comment) -> None:
        match = ALLOW.fullmatch(comment.text.rstrip())
        if match is None:
            self.malformed.append(Malformed(comment, f"is not understood; write `{GRAMMAR}`"))
            return
        whole_file = match["word"] == "allow-file"
        first, last = (1, len(self._source.lines)) if whole_file else self._lines_of(comment)
        self.authorisations.append(
            Authorisation(
                comment=comment,
                origin="file" if whole_file else "inline",
                checks=tuple(check.strip() for check in match["checks"].split(",")),
                first=first,
                last=last,
                overlapping=not comment.alone,
                reason=match["reason"] or "",
                owner=match["owner"] or "",
                until=match["until"] or "",
            )
        )

    def _read_authorised(self, index: int, comment: Comment) -> None:
        match = AUTHORISED.fullmatch(comment.text.rstrip())
        check = self._words.get(match["word"]) if match else None
        if match is None or check is None:
            return
        following = self.comments[index + 1] if index + 1 < len(self.comments) else None
        justified = JUSTIFICATION.fullmatch(following.text.rstrip()) if following else None
        if justified is not None and following is not None and following.line != comment.line + 1:
            justified = None
        first, last = self._lines_of(comment)
        self.authorisations.append(
            Authorisation(
                comment=comment,
                origin="authorisation",
                checks=(check,),
                first=first,
                last=last,
                overlapping=not comment.alone,
                reason=justified["reason"] if justified else "",
                owner=match["owner"],
            )
        )

    def _lines_of(self, comment: Comment) -> tuple[int, int]:
        """Return the lines that a comment covers: its own, or the next statement up to its colon."""
        if not comment.alone:
            return comment.line, comment.line
        line = comment.line + 1
        lines = self._source.lines
        while line <= len(lines) and (line in self._comment_lines or not lines[line - 1].strip()):
            line += 1
        return line, _header_end(self._source.tree, lines, line)


def _header_end(tree: ast.Module, lines: list[str], line: int) -> int:
    """Return the last line of the statement that starts on `line`, without the blocks inside it."""
    text = lines[line - 1] if line <= len(lines) else ""
    enclosing = chain(tree, line, len(text) - len(text.lstrip()))
    for statement in enclosing:
        if first_line(statement) == line:
            inner = [block[0] for block in blocks(statement) if block]
            end = statement.end_lineno or line
            return max(line, min([end, *(first_line(s) - 1 for s in inner)]))
    return line


def _comments(source: Source) -> list[Comment]:
    """Return the comments of a file, without strings that look like comments."""
    found = []
    stream = io.StringIO("".join(source.lines))
    for token in tokenize.generate_tokens(stream.readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found.append(Comment(token.string, token.start[0], token.start[1] + 1, alone))
    return found
