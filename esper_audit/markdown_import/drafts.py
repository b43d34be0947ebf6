"""A review while it is read: who, what, when, and the text that has come together so far."""

from __future__ import annotations

from esper_audit.markdown_import.blocks import Block, Kind
from esper_audit.markdown_import.document import Section, text_of
from esper_audit.markdown_import.review_tables import DATE, EVALUATION, REVIEWER, VERDICT, Entry
from esper_audit.markdown_import.values import bare, date_in
from esper_audit.markdown_import.verdicts import Said, as_written, likeness, verdict_in
from esper_audit.ticket_parts import Review


def paragraph(text: str, at: int = -1) -> Block:
    """Return a text as a block of its own; `at` is where its first line stands, if it does."""
    return Block(Kind.PARAGRAPH, tuple(text.split("\n")), at)


class Draft:
    """One review in the making; it is one as soon as it has a verdict."""

    def __init__(self, role: str = "", date: str = "") -> None:
        self.reviewer = ""
        self.role = role
        self.date = date
        self.verdict: Said | None = None
        self.nodes: list[Block | Section] = []

    def add(self, text: str) -> None:
        """Append a text to the evaluation."""
        if text.strip():
            self.nodes.append(paragraph(text.strip("\n")))

    def fill(self, entry: Entry) -> None:
        """Take over what a table says."""
        said = entry.said
        self.reviewer = bare(said.get(REVIEWER, "")) or self.reviewer
        if VERDICT in said:
            self.verdict = self.verdict or whole_verdict(said[VERDICT])
        if DATE in said:
            self.dated(said[DATE])
        for name, cell in entry.beyond:
            self.add(f"**{bare(name)}:** {cell}")
        self.add(said.get(EVALUATION, ""))

    def dated(self, text: str) -> None:
        """Take over a date; words around it stay in the evaluation."""
        found = date_in(text)
        self.date = self.date or found
        if bare(text) != self.date and text.strip():
            self.add(f"**Date:** {text.strip()}")

    def names(self, label: str) -> int:
        """Say how well a label fits whoever reviews."""
        return max(likeness(label, self.reviewer), likeness(label, self.role))

    def left(self) -> list[Block | Section]:
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
            as_written=as_written(self.verdict.text, self.verdict.verdict),
            date=self.date,
            evaluation=text_of(self.nodes),
        )


def whole_verdict(cell: str) -> Said | None:
    """Read a cell that is a verdict: all of its words are the verdict's."""
    said = verdict_in(cell)
    return Said(said.verdict, " ".join(bare(cell).split()), "") if said else None
