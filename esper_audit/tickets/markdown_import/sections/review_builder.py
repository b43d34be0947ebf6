"""The drafts of reviews: reviewer, verdict, date and evaluation as far as they are read."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
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
    """Return a text as a block.

    `at` is the number of its first line, -1 for text that is not in the source.
    """
    return MarkdownBlock(BlockKind.PARAGRAPH, tuple(text.split("\n")), at)


class ReviewDraft:
    """A review that is read so far, complete with a verdict."""

    def __init__(self, role: str = "", date: str = "") -> None:
        self.reviewer = ""
        self.role = role
        self.date = date
        self.verdict: StatedOpinion | None = None
        self.nodes: list[MarkdownBlock | DocumentSection] = []

    def add(self, text: str) -> None:
        """Append a text to the evaluation unless it is blank."""
        if text.strip():
            self.nodes.append(paragraph(text.strip("\n")))

    def fill(self, entry: ReviewRow) -> None:
        """Fill the draft from a row of a table."""
        cells = entry.cells
        self.reviewer = without_markup(cells.get(REVIEWER, "")) or self.reviewer
        if VERDICT in cells:
            self.verdict = self.verdict or whole_verdict(cells[VERDICT])
        if DATE in cells:
            self.set_date(cells[DATE])
        for name, cell in entry.other_cells:
            self.add(f"**{without_markup(name)}:** {cell}")
        self.add(cells.get(EVALUATION, ""))

    def set_date(self, text: str) -> None:
        """Set the date unless there is one.

        Other words become part of the evaluation.
        """
        self.date = self.date or date_in(text)
        if without_markup(text) != self.date and text.strip():
            self.add(f"**Date:** {text.strip()}")

    def shared_words(self, label: str) -> int:
        """Return how many words a label shares with the name or the role of the reviewer."""
        return max(shared_words(label, self.reviewer), shared_words(label, self.role))

    def all_nodes(self) -> list[MarkdownBlock | DocumentSection]:
        """Return the text of a draft without verdict."""
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
    """The drafts of a section, the current one last, and the text that belongs to none of them."""

    def __init__(self, first: ReviewDraft) -> None:
        self.all = [first]
        self.rest: list[MarkdownBlock | DocumentSection] = []
        self._columns: tuple[str, ...] = ()

    @property
    def current(self) -> ReviewDraft:
        """The draft that is read now."""
        return self.all[-1]

    def begin(self) -> ReviewDraft:
        """Return the draft of a new reviewer: the current one if it is empty, else a new one."""
        current = self.current
        if current.verdict or current.role or current.reviewer:
            self.all.append(ReviewDraft())
        return self.current

    def read_table_block(self, block: MarkdownBlock) -> bool:
        """Read a table of reviews, or of the labelled values of one, and return whether it was either."""
        table = read_table(block)
        if claims_in(block):
            return False
        pairs = review_rows(named_values(table))
        for entry in pairs:
            self._values_draft(entry).fill(entry)
        read = None if pairs else read_review_table(table, self._columns)
        if read is None:
            return bool(pairs)
        self._columns = read.columns or self._columns
        for entry in read.entries:
            self._row_draft(entry).fill(entry)
        self.rest += [paragraph("\n".join(map(row_text, read.rest)))] if read.rest else []
        return True

    def join(self, below: ReviewDrafts) -> None:
        """Add the drafts below a heading.

        An empty draft of this heading gives them its name and date.
        """
        first = self.all[0]
        is_open = len(self.all) == 1 and first.verdict is None
        if is_open and not (first.nodes or first.reviewer):
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

    def _values_draft(self, entry: ReviewRow) -> ReviewDraft:
        """Return the draft for labelled values: the current one while it has no verdict, else a new one."""
        is_complete = self.current.verdict is not None and VERDICT in entry.cells
        if is_complete or (self.current.reviewer and REVIEWER in entry.cells):
            self.all.append(ReviewDraft())
        return self.current

    def _row_draft(self, entry: ReviewRow) -> ReviewDraft:
        """Return the draft for a row: the one of the heading while it has no verdict, else a new one."""
        current = self.current
        is_open = current.verdict is None and not (current.reviewer or current.nodes)
        is_same_reviewer = not entry.cells.get(REVIEWER) or not current.role
        if not (is_open and is_same_reviewer):
            self.all.append(ReviewDraft(date=self.all[0].date if len(self.all) == 1 else ""))
        return self.current
