"""Reading reviews: below a heading each, in tables, in labelled lines, or in several of these.

Text that is not a review becomes part of the review before it. A section without a verdict is kept whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import words
from esper_audit.tickets.markdown_import.sections.review_builder import ReviewDraft, ReviewDrafts
from esper_audit.tickets.markdown_import.sections.review_lines import LabelledReviewReader
from esper_audit.tickets.markdown_import.sections.review_tables import COLUMN_OF, VERDICT
from esper_audit.tickets.markdown_import.terms.headings import split_heading
from esper_audit.tickets.markdown_import.terms.verdicts import (
    reviewer_in,
    verdict_in,
    whole_verdict,
)
from esper_audit.tickets.parts import AsWritten, Extra, Review


class ReviewSection(msgspec.Struct, frozen=True):
    """The reviews of sections, all other text, and the headings without the name of a reviewer."""

    reviews: list[Review]
    extra: list[Extra]
    as_written: list[AsWritten] = []


def read_reviews(sections: Iterable[DocumentSection]) -> ReviewSection:
    """Read the sections of reviews."""
    read = [_read_section(section) for section in sections]
    return ReviewSection(
        [review for found in read for review in found.reviews],
        [extra for found in read for extra in found.extra],
        [word for found in read for word in found.as_written],
    )


def _read_section(section: DocumentSection) -> ReviewSection:
    """Read a section of reviews, which is kept as it is without a verdict."""
    drafts = _read_drafts(section)
    reviews = [review for draft in drafts.all if (review := draft.review())]
    if not reviews:
        return ReviewSection([], [Extra(section=section.title, text=text_of(section.nodes))])
    incomplete = [draft for draft in drafts.all if draft.verdict is None]
    nodes = [node for draft in incomplete for node in draft.all_nodes()]
    text = text_of([*nodes, *drafts.rest])
    if text or _is_covered(section.title, drafts.all):
        return ReviewSection(reviews, [Extra(section=section.title, text=text)] if text else [])
    heading = AsWritten(field="reviews", where="heading", words=section.title)
    return ReviewSection(reviews, [], [heading])


def _read_drafts(section: DocumentSection) -> ReviewDrafts:
    """Return the drafts of a section and of the sections below it."""
    drafts = ReviewDrafts(_heading_draft(section.title))
    for block in section.blocks:
        _read_block(block, drafts)
    for child in section.children:
        _read_child(child, drafts)
    return drafts


def _heading_draft(title: str) -> ReviewDraft:
    """Return the draft of a heading with its reviewer, date and verdict."""
    name, date = reviewer_in(title)
    head, rest = split_heading(name)
    after_name = rest if verdict_in(rest, strict=True) else ""
    alone = name if not after_name and verdict_in(name, strict=True) else ""
    draft = ReviewDraft("" if alone else head.strip() if after_name else name, date)
    draft.verdict = whole_verdict(after_name or alone) if after_name or alone else None
    return draft


def _read_block(block: MarkdownBlock, drafts: ReviewDrafts) -> None:
    lines = LabelledReviewReader(drafts)
    if block.kind is BlockKind.TABLE and drafts.read_table_block(block):
        return
    if block.kind is BlockKind.PARAGRAPH and lines.read_paragraph(block):
        return
    if block.kind is BlockKind.LIST and lines.read_list(block):
        return
    drafts.current.nodes.append(block)


def _read_child(child: DocumentSection, drafts: ReviewDrafts) -> None:
    """Read a subsection: the verdict or evaluation of the current review, another review, or text."""
    current = drafts.current
    if _read_verdict(child, drafts):
        return
    if words(child.title) == "evaluation" and current.verdict:
        current.nodes += child.nodes
        return
    below = _read_drafts(child)
    if not any(draft.verdict for draft in below.all):
        (current.nodes if current.verdict else drafts.rest).append(child)
        return
    drafts.join(below)
    if not _is_covered(child.title, below.all):
        drafts.rest.append(DocumentSection(child.title, child.level, child.heading))


def _read_verdict(child: DocumentSection, drafts: ReviewDrafts) -> bool:
    """Read a subsection whose heading announces the verdict, and return whether it is one."""
    head, rest = split_heading(child.title)
    if COLUMN_OF.get(words(head), "") != VERDICT or drafts.current.verdict is not None:
        return False
    verdict = rest or text_of(child.blocks[:1])
    if verdict_in(verdict) is None:
        return False
    drafts.current.verdict = whole_verdict(verdict)
    for block in child.blocks[0 if rest else 1 :]:
        _read_block(block, drafts)
    for section in child.children:
        _read_child(section, drafts)
    return True


def _is_covered(title: str, drafts: Sequence[ReviewDraft]) -> bool:
    """Return whether a heading names no reviewer, or one of the reviewers that were read below it."""
    reviewers = {name for draft in drafts if draft.verdict for name in (draft.role, draft.reviewer)}
    return not reviewer_in(title)[0] or any(name and name in title for name in reviewers)
