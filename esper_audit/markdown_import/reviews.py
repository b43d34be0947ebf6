"""Reviews, however they are laid out: below a heading each, in tables, in labelled lines, or all of these.

What is read as no review stays with the review it stands in; a section without any verdict stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.markdown_import.blocks import Block, Kind
from esper_audit.markdown_import.document import Section, text_of
from esper_audit.markdown_import.drafts import Draft, paragraph, whole_verdict
from esper_audit.markdown_import.headings import split_heading
from esper_audit.markdown_import.judged import claims_in
from esper_audit.markdown_import.review_tables import (
    COLUMN_OF,
    DATE,
    EVALUATION,
    REVIEWER,
    VERDICT,
    Entry,
    entries_of,
    pairs_of,
    read_reviews,
)
from esper_audit.markdown_import.statements import Statement, in_paragraph
from esper_audit.markdown_import.tables import read_table
from esper_audit.markdown_import.values import bare, words
from esper_audit.markdown_import.verdicts import Said, is_reviewer, named_in, verdict_in
from esper_audit.ticket_parts import AsWritten, Extra, Review

# `**DRL** (ENDORSE): text` and `**DRL Specialist** - ENDORSE - text`: bold, but no colon in the bold.
BOLD_NAME = re.compile(r" {0,3}\*\*(?P<name>[^*\n]{2,60}?)\*\*\s*(?P<rest>[-–—:(\[|].*)", re.DOTALL)  # noqa: RUF001  # people type all dashes
RESERVED = frozenset(
    "recommendation recommendations note notes severity priority risk conclusion action verification status caveat "
    "summary rationale impact confidence evidence suggestion suggested fix alternative concern concerns".split()
)


class Reviews(msgspec.Struct, frozen=True):
    """The reviews of a section, and what is none."""

    reviews: list[Review]
    extra: list[Extra]
    as_written: list[AsWritten] = []


def read_review_section(section: Section) -> Reviews:
    """Read a section of reviews; without a verdict anywhere it is kept as it was written."""
    reader = _Reader(section.title)
    reader.read(section)
    reviews = [review for draft in reader.drafts if (review := draft.review())]
    if not reviews:
        return Reviews([], [Extra(section=section.title, text=text_of(section.nodes))])
    lost = [node for draft in reader.drafts if draft.verdict is None for node in draft.left()]
    text = text_of([*lost, *reader.rest])
    extra = [Extra(section=section.title, text=text)] if text else []
    is_told = bool(extra) or _is_told(section.title, reader.drafts)
    heading = AsWritten(field="reviews", where="heading", words=section.title)
    return Reviews(reviews, extra, [] if is_told else [heading])


class _Reader:
    """Goes through a section and fills drafts."""

    def __init__(self, title: str) -> None:
        name, date = named_in(title)
        head, rest = split_heading(name)
        said = verdict_in(rest, strict=True) or verdict_in(name, strict=True)
        self.drafts = [Draft(head.strip() if said and rest else "" if said else name, date)]
        if said:
            self.drafts[0].verdict = whole_verdict(rest if rest else name)
        self.rest: list[Block | Section] = []
        self._columns: tuple[str, ...] = ()

    @property
    def _current(self) -> Draft:
        return self.drafts[-1]

    def read(self, section: Section) -> None:
        """Read the blocks of a section, then the sections below it."""
        for block in section.blocks:
            self._block(block)
        for child in section.children:
            self._child(child)

    def _block(self, block: Block) -> None:
        if block.kind is Kind.TABLE and self._table(block):
            return
        if block.kind is Kind.PARAGRAPH and self._paragraph(block):
            return
        if block.kind is Kind.LIST and self._list(block):
            return
        self._current.nodes.append(block)

    def _table(self, block: Block) -> bool:
        if claims_in(block):
            return False
        table = read_table(block)
        pairs = pairs_of(table)
        if pairs:
            for entry in entries_of(pairs):
                self._named(entry).fill(entry)
            return True
        read = read_reviews(table, self._columns)
        if read is None:
            return False
        self._columns = read.columns or self._columns
        for entry in read.entries:
            self._fresh(entry).fill(entry)
        rows = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in read.rest]
        self.rest += [paragraph("\n".join(rows))] if rows else []
        return True

    def _named(self, entry: Entry) -> Draft:
        """Return the draft that names and values fill: the current one, as long as it has no verdict."""
        taken = self._current.verdict is not None and VERDICT in entry.said
        if taken or (self._current.reviewer and REVIEWER in entry.said):
            self.drafts.append(Draft())
        return self._current

    def _fresh(self, entry: Entry) -> Draft:
        """Return the draft that an entry fills: the one of the heading, if it still waits for a verdict."""
        waits = self._current.verdict is None and not self._current.reviewer
        own = not entry.said.get(REVIEWER) or not self._current.role
        if not (waits and own and not self._current.nodes):
            self.drafts.append(Draft(date=self.drafts[0].date if len(self.drafts) == 1 else ""))
        return self._current

    def _pair(self, name: str, value: str) -> None:
        """Take one row of names and values, or one labelled line."""
        column = COLUMN_OF.get(words(name), "")
        current = self._current
        if column == REVIEWER:
            if current.reviewer:
                self.drafts.append(current := Draft())
            current.reviewer = bare(value)
        elif column == VERDICT and current.verdict is None and verdict_in(value):
            current.verdict = whole_verdict(value)
        elif column == DATE:
            current.dated(value)
        elif column == EVALUATION:
            current.add(value)
        elif value:
            current.add(f"**{name}:** {value}")

    def _paragraph(self, block: Block) -> bool:
        found = in_paragraph(block)
        named = self._named_line(block.text)
        if named:
            return True
        if not any(statement.label for statement in found):
            return False
        line = block.first
        for statement in found:
            self._statement(statement, line)
            line += statement.source.count("\n") + 1
        return True

    def _statement(self, statement: Statement, line: int) -> None:
        label, value = statement.label, statement.value
        column = COLUMN_OF.get(words(label), "")
        if column == VERDICT and self._current.verdict is None and (said := verdict_in(value)):
            self._current.verdict = said if said.rest else whole_verdict(value)
            self._current.add(said.rest)
        elif column == REVIEWER and value and "\n" not in value:
            self._pair(label, value)
        elif column == DATE and self._current.verdict is None:
            self._pair(label, value)
        elif column == EVALUATION and words(label) != "note":
            self._text(value, statement, line)
        elif (draft := self._fitting(label, value)) is not None and words(label) not in COLUMN_OF:
            self._addressed(draft, value)
        elif self._is_new(label, value):
            self._reviewer(label, value)
        else:
            self._current.nodes.append(paragraph(statement.source, line))

    def _text(self, value: str, statement: Statement, line: int) -> None:
        """Append an evaluation; lines behind the label keep their place in front of what follows them."""
        lines = statement.source.count("\n") + 1 - (value.count("\n") + 1)
        if value:
            self._current.nodes.append(paragraph(value, line + lines))

    def _fitting(self, label: str, value: str) -> Draft | None:
        """Return the draft of the reviewer whom a label such as `DRL Evaluation` names.

        Somebody else's verdict behind a like name is a review of its own.
        """
        likely = [(draft.names(label), -n) for n, draft in enumerate(self.drafts)]
        best, place = max(likely)
        is_about = "evaluation" in words(label) or is_reviewer(label)
        draft = self.drafts[-place]
        again = draft.verdict is not None and self._is_new(label, value)
        return draft if best and is_about and not again else None

    def _addressed(self, draft: Draft, value: str) -> None:
        said = verdict_in(value, strict=True) if draft.verdict is None else None
        if said:
            draft.verdict = said
        draft.add(said.rest if said else value)

    @staticmethod
    def _is_new(label: str, value: str) -> bool:
        if words(label) in RESERVED or words(label) in COLUMN_OF:
            return False
        return bool(verdict_in(value, strict=not is_reviewer(label)))

    def _reviewer(self, name: str, value: str) -> bool:
        """Begin the review of somebody whose verdict stands behind the name."""
        said = verdict_in(value)
        if said is None:
            return False
        if self._current.verdict or self._current.role or self._current.reviewer:
            self.drafts.append(Draft())
        self._current.reviewer = bare(name)
        self._current.verdict = said
        self._current.add(said.rest)
        return True

    def _named_line(self, text: str) -> bool:
        match = BOLD_NAME.match(text)
        if match is None or words(match["name"]) in COLUMN_OF:
            return False
        value = match["rest"].lstrip(" :-–—|")  # noqa: RUF001  # people type all dashes
        return self._is_new(match["name"], value) and self._reviewer(match["name"], value)

    def _list(self, block: Block) -> bool:
        """Read a list whose items are reviewers with their verdicts, or labels of one review."""
        found = [in_paragraph(paragraph(item.text)) for item in block.items]
        if any(item.done is not None for item in block.items):
            return False
        labels = [words(said[0].label) if said else "" for said in found]
        names_columns = all(labels) and VERDICT in {COLUMN_OF.get(label) for label in labels}
        names_people = all(
            self._is_new(said[0].label, said[0].value) if said and said[0].label else _is_bold_name(item.text)
            for said, item in zip(found, block.items, strict=True)
        )
        if not (names_columns or names_people):
            return False
        for said, item in zip(found, block.items, strict=True):
            if said[0].label:
                for statement in said:
                    self._statement(statement, -1)
            else:
                self._named_line(item.text)
        return True

    def _child(self, child: Section) -> None:
        """Read a section below: somebody's review, a part of the current one, or text."""
        head, rest = split_heading(child.title)
        column = COLUMN_OF.get(words(head), "")
        if column == VERDICT and self._current.verdict is None and verdict_in(rest or text_of(child.blocks)):
            said = rest or text_of(child.blocks[:1])
            self._current.verdict = whole_verdict(said)
            for block in child.blocks[0 if rest else 1 :]:
                self._block(block)
            for below in child.children:
                self._child(below)
            return
        if column == EVALUATION and not rest and self._current.verdict and words(head) == "evaluation":
            self._current.nodes += child.nodes
            return
        reader = _Reader(child.title)
        reader.read(child)
        if any(draft.verdict for draft in reader.drafts):
            self._join(reader)
            if not _is_told(child.title, reader.drafts):
                self.rest.append(Section(child.title, child.level, child.heading))
            return
        holder = self._current.nodes if self._current.verdict else self.rest
        holder.append(child)

    def _join(self, reader: _Reader) -> None:
        first = self.drafts[0]
        waits = first.verdict is None and len(self.drafts) == 1
        if waits and not (first.nodes or first.reviewer):
            only = [draft for draft in reader.drafts if draft.verdict]
            if len(only) == 1 and first.role and not only[0].role and not only[0].reviewer:
                only[0].role = first.role
            for draft in only:
                draft.date = draft.date or first.date
            self.drafts = []
        self.drafts += reader.drafts
        self.rest += reader.rest


def _is_told(title: str, drafts: Sequence[Draft]) -> bool:
    """Say whether a heading names nobody, or one of those whose reviews were read below it."""
    told = {name for draft in drafts if draft.verdict for name in (draft.role, draft.reviewer)}
    return not named_in(title)[0] or any(name and name in title for name in told)


def _is_bold_name(text: str) -> bool:
    match = BOLD_NAME.match(text)
    return bool(match and verdict_in(match["rest"].lstrip(" :-–—|("), strict=not is_reviewer(match["name"])))  # noqa: RUF001  # people type all dashes


def reviews_of(sections: Iterable[Section]) -> Reviews:
    """Read several sections of reviews."""
    read: Sequence[Reviews] = [read_review_section(section) for section in sections]
    return Reviews(
        [review for found in read for review in found.reviews],
        [extra for found in read for extra in found.extra],
        [word for found in read for word in found.as_written],
    )


