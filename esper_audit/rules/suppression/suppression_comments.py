"""Read the comments that suppress findings: their grammar and the lines that each covers."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import msgspec

from esper_audit.source.syntax.enclosing import blocks, chain, first_line
from esper_audit.source.syntax.names import BUILTINS
from esper_audit.source.syntax.source import Source

MARK = "esper-audit:"
ALLOW = re.compile(
    r"# esper-audit: (?P<word>allow|allow-file) (?P<checks>[\w-]+(?:, ?[\w-]+)*)"
    r"(?: by (?P<owner>(?:(?! until | -- ).)+?))?(?: until (?P<until>\d{4}-\d{2}-\d{2}))?(?: -- (?P<reason>\S.*))?"
)
GRAMMAR = "# esper-audit: allow CHECK[, CHECK] [by NAME] [until YYYY-MM-DD] -- REASON"
AUTHORISED = re.compile(
    r"#\s*(?P<before>[\w\s,.;:'-]*?)(?P<word>\w+)(?:\(\))?\s+(?P<mark>AUTHORI[SZ]ED\s+BY\b)(?P<rest>.*)",
    re.IGNORECASE,
)
OWNER_AND_DATE = re.compile(
    r":?\s*(?P<owner>(?!on\b)\S.*?),?\s+(?:on\s+)?\(?(?P<date>\d{4}-\d{2}-\d{2})\b.*"
)
AUTHORISED_BYTES = re.compile(rb"AUTHORI[SZ]ED\s+BY\b", re.IGNORECASE)
AUTHORISED_GRAMMAR = "# {word} AUTHORIZED by NAME on YYYY-MM-DD"
MISSPELT = 0.8  # the similarity from which a word is a misspelling of a known one
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
    if MARK.encode() in data:
        return True
    is_near = b"uthori" in data or b"UTHORI" in data  # faster than the expression
    return is_near and AUTHORISED_BYTES.search(data) is not None


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
        else:
            match = AUTHORISED.fullmatch(comment.text.rstrip())
            if match is not None:
                self._read_authorised(index, comment, match)

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

    def _read_authorised(self, index: int, comment: Comment, match: re.Match[str]) -> None:
        word, is_prose = self._word_of(match)
        if is_prose:
            return
        owner = _owner(match["rest"])
        if match["before"] or word != match["word"] or not owner:
            grammar = AUTHORISED_GRAMMAR.format(word=word)
            self.malformed.append(Malformed(comment, f"is not understood; write `{grammar}`"))
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
                checks=(self._words[word],),
                first=first,
                last=last,
                overlapping=not comment.alone,
                reason=justified["reason"] if justified else "",
                owner=owner,
            )
        )

    def _word_of(self, match: re.Match[str]) -> tuple[str, bool]:
        """Return the known word that a comment means, and whether the comment is prose instead."""
        word, known = match["word"], self._words
        if match["before"]:
            is_marked = match["mark"].startswith("AUTHOR")
            return word, word not in known or not is_marked
        from difflib import get_close_matches

        if word in known or word in BUILTINS:
            return word, word not in known
        near = get_close_matches(word.lower(), known, 1, MISSPELT)
        return (near[0], False) if near else (word, True)

    def _lines_of(self, comment: Comment) -> tuple[int, int]:
        """Return the lines that a comment covers: its own, or the next statement up to its colon."""
        if not comment.alone:
            return comment.line, comment.line
        line = comment.line + 1
        lines = self._source.lines
        while line <= len(lines) and (line in self._comment_lines or not lines[line - 1].strip()):
            line += 1
        return line, _header_end(self._source.tree, lines, line)


def _owner(text: str) -> str:
    """Return the name in the rest of an authorisation, empty unless a name and a date are given."""
    match = OWNER_AND_DATE.fullmatch(text)
    if match is None:
        return ""
    try:
        date.fromisoformat(match["date"])
    except ValueError:
        return ""
    return match["owner"]


def lines_of_next_statement(source: Source, authorisation: Authorisation) -> tuple[int, int]:
    """Return the first and last line of the statement after the lines that an authorisation covers."""
    lines, line = source.lines, authorisation.last + 1
    while line <= len(lines) and lines[line - 1].lstrip()[:1] in ("", "#"):
        line += 1
    return line, _header_end(source.tree, lines, line)


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
