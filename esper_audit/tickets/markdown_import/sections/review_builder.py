"""Reviews while they are read: who, what, when, and the text that has come together so far."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.blocks import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import date_in, without_markup
from esper_audit.tickets.markdown_import.document.tables import read_table, row_text
from esper_audit.tickets.markdown_import.sections.review_tables import (
    DATE,
    EVALUATION,
    REVIEWER,
    VERDICT,
    ReviewRow,
    named_values,
    read_review_table,
    review_rows,
)
from esper_audit.tickets.markdown_import.terms.claim_verdicts import claims_in
from esper_audit.tickets.markdown_import.terms.verdicts import (
    StatedOpinion,
    shared_words,
    verdict_words,
    whole_verdict,
)
from esper_audit.tickets.parts import Review


def paragraph(text: str, at: int = -1) -> MarkdownBlock:
    """Return a text as a block of its own; `at` is where its first line stands, if it does."""
    return MarkdownBlock(BlockKind.PARAGRAPH, tuple(text.split("\n")), at)


class ReviewDraft:
    """One review in the making; it is one as soon as it has a verdict."""

    def __init__(self, role: str = "", date: str = "") -> None:
        self.reviewer = ""
        self.role = role
        self.date = date
        self.verdict: StatedOpinion | None = None
        self.nodes: list[MarkdownBlock | DocumentSection] = []

    def add(self, text: str) -> None:
        """Append a text to the evaluation."""
        if text.strip():
            self.nodes.append(paragraph(text.strip("\n")))

    def fill(self, entry: ReviewRow) -> None:
        """Take over what a table says."""
        said = entry.said
        self.reviewer = without_markup(said.get(REVIEWER, "")) or self.reviewer
        if VERDICT in said:
            self.verdict = self.verdict or whole_verdict(said[VERDICT])
        if DATE in said:
            self.dated(said[DATE])
        for name, cell in entry.beyond:
            self.add(f"**{without_markup(name)}:** {cell}")
        self.add(said.get(EVALUATION, ""))

    def dated(self, text: str) -> None:
        """Take over a date; words around it stay in the evaluation."""
        self.date = self.date or date_in(text)
        if without_markup(text) != self.date and text.strip():
            self.add(f"**Date:** {text.strip()}")

    def names(self, label: str) -> int:
        """Say how well a label fits whoever reviews."""
        return max(shared_words(label, self.reviewer), shared_words(label, self.role))

    def left(self) -> list[MarkdownBlock | DocumentSection]:
        """Return what stands in a draft that came to no verdict."""
        name = [paragraph(f"**Reviewer:** {self.reviewer}")] if self.reviewer else []
        return [*name, *self.nodes]

    def review(self) -> Review | None:
        """Return the review, None without a verdict."""
        if self.verdict is None:
            return None
        reviewer = self.reviewer or self.role
        return Review(
            reviewer=reviewer,
            role=self.role if self.role != reviewer else "",
            verdict=self.verdict.verdict,
            as_written=verdict_words(self.verdict.text, self.verdict.verdict),
            date=self.date,
            evaluation=text_of(self.nodes),
        )


class ReviewDrafts:
    """The drafts of a section, the current one last, and what belongs to none of them."""

    def __init__(self, first: ReviewDraft) -> None:
        self.all = [first]
        self.rest: list[MarkdownBlock | DocumentSection] = []
        self._columns: tuple[str, ...] = ()

    @property
    def current(self) -> ReviewDraft:
        """The draft that comes together now."""
        return self.all[-1]

    def begin(self) -> ReviewDraft:
        """Return the draft for somebody new: the current one, if it is still nobody's."""
        held = self.current
        if held.verdict or held.role or held.reviewer:
            self.all.append(ReviewDraft())
        return self.current

    def take_table(self, block: MarkdownBlock) -> bool:
        """Take a table of reviews, or of names and values of one; say whether it was either."""
        table = read_table(block)
        if claims_in(block):
            return False
        pairs = review_rows(named_values(table))
        for entry in pairs:
            self._of_names(entry).fill(entry)
        read = None if pairs else read_review_table(table, self._columns)
        if read is None:
            return bool(pairs)
        self._columns = read.columns or self._columns
        for entry in read.entries:
            self._of_row(entry).fill(entry)
        self.rest += [paragraph("\n".join(map(row_text, read.rest)))] if read.rest else []
        return True

    def join(self, below: ReviewDrafts) -> None:
        """Take over what was read below a heading; what this heading alone said goes to it."""
        first = self.all[0]
        waits = len(self.all) == 1 and first.verdict is None
        if waits and not (first.nodes or first.reviewer):
            self._hand_down(first, [draft for draft in below.all if draft.verdict])
            self.all = []
        self.all += below.all
        self.rest += below.rest

    @staticmethod
    def _hand_down(first: ReviewDraft, drafts: Sequence[ReviewDraft]) -> None:
        """Give the name and date of a heading to the drafts below it that lack them."""
        if len(drafts) == 1 and not (drafts[0].role or drafts[0].reviewer):
            drafts[0].role = first.role
        for draft in drafts:
            draft.date = draft.date or first.date

    def _of_names(self, entry: ReviewRow) -> ReviewDraft:
        """Return the draft that names and values fill: the current one, as long as it has no verdict."""
        taken = self.current.verdict is not None and VERDICT in entry.said
        if taken or (self.current.reviewer and REVIEWER in entry.said):
            self.all.append(ReviewDraft())
        return self.current

    def _of_row(self, entry: ReviewRow) -> ReviewDraft:
        """Return the draft that a row fills: the one of the heading, if it still waits for a verdict."""
        held = self.current
        waits = held.verdict is None and not (held.reviewer or held.nodes)
        own = not entry.said.get(REVIEWER) or not held.role
        if not (waits and own):
            self.all.append(ReviewDraft(date=self.all[0].date if len(self.all) == 1 else ""))
        return self.current
