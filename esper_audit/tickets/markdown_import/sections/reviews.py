"""Reviews, however they are laid out: below a heading each, in tables, in labelled lines, or all of these.

What is read as no review stays with the review it stands in; a section without any verdict stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import Kind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import words
from esper_audit.tickets.markdown_import.sections.review_builder import Draft, Drafts
from esper_audit.tickets.markdown_import.sections.review_lines import Lines
from esper_audit.tickets.markdown_import.sections.review_tables import COLUMN_OF, VERDICT
from esper_audit.tickets.markdown_import.terms.headings import split_heading
from esper_audit.tickets.markdown_import.terms.verdicts import named_in, verdict_in, whole_verdict
from esper_audit.tickets.parts import AsWritten, Extra, Review


class Reviews(msgspec.Struct, frozen=True):
    """The reviews of a section, what is none, and headings that name nobody of those who reviewed."""

    reviews: list[Review]
    extra: list[Extra]
    as_written: list[AsWritten] = []


def reviews_of(sections: Iterable[DocumentSection]) -> Reviews:
    """Read several sections of reviews."""
    read = [_reviews(section) for section in sections]
    return Reviews(
        [review for found in read for review in found.reviews],
        [extra for found in read for extra in found.extra],
        [word for found in read for word in found.as_written],
    )


def _reviews(section: DocumentSection) -> Reviews:
    """Read a section of reviews; without a verdict anywhere it is kept as it was written."""
    drafts = _read(section)
    reviews = [review for draft in drafts.all if (review := draft.review())]
    if not reviews:
        return Reviews([], [Extra(section=section.title, text=text_of(section.nodes))])
    lost = [node for draft in drafts.all if draft.verdict is None for node in draft.left()]
    text = text_of([*lost, *drafts.rest])
    if text or _is_told(section.title, drafts.all):
        return Reviews(reviews, [Extra(section=section.title, text=text)] if text else [])
    heading = AsWritten(field="reviews", where="heading", words=section.title)
    return Reviews(reviews, [], [heading])


def _read(section: DocumentSection) -> Drafts:
    """Fill drafts from a section and those below it."""
    drafts = Drafts(_of_heading(section.title))
    for block in section.blocks:
        _take(block, drafts)
    for child in section.children:
        _below(child, drafts)
    return drafts


def _of_heading(title: str) -> Draft:
    """Return the draft that a heading begins: who reviews, perhaps when and with which verdict."""
    name, date = named_in(title)
    head, rest = split_heading(name)
    behind = rest if verdict_in(rest, strict=True) else ""
    alone = name if not behind and verdict_in(name, strict=True) else ""
    draft = Draft("" if alone else head.strip() if behind else name, date)
    draft.verdict = whole_verdict(behind or alone) if behind or alone else None
    return draft


def _take(block: MarkdownBlock, drafts: Drafts) -> None:
    lines = Lines(drafts)
    if block.kind is Kind.TABLE and drafts.take_table(block):
        return
    if block.kind is Kind.PARAGRAPH and lines.take_paragraph(block):
        return
    if block.kind is Kind.LIST and lines.take_list(block):
        return
    drafts.current.nodes.append(block)


def _below(child: DocumentSection, drafts: Drafts) -> None:
    """Read a section below: the current review's verdict or evaluation, somebody's review, or text."""
    current = drafts.current
    if _takes_verdict(child, drafts):
        return
    if words(child.title) == "evaluation" and current.verdict:
        current.nodes += child.nodes
        return
    below = _read(child)
    if not any(draft.verdict for draft in below.all):
        (current.nodes if current.verdict else drafts.rest).append(child)
        return
    drafts.join(below)
    if not _is_told(child.title, below.all):
        drafts.rest.append(DocumentSection(child.title, child.level, child.heading))


def _takes_verdict(child: DocumentSection, drafts: Drafts) -> bool:
    """Take a verdict that stands in a heading of its own or below it, and what follows it there."""
    head, rest = split_heading(child.title)
    if COLUMN_OF.get(words(head), "") != VERDICT or drafts.current.verdict is not None:
        return False
    said = rest or text_of(child.blocks[:1])
    if verdict_in(said) is None:
        return False
    drafts.current.verdict = whole_verdict(said)
    for block in child.blocks[0 if rest else 1 :]:
        _take(block, drafts)
    for section in child.children:
        _below(section, drafts)
    return True


def _is_told(title: str, drafts: Sequence[Draft]) -> bool:
    """Return whether a heading names nobody, or one of those whose reviews were read below it."""
    told = {name for draft in drafts if draft.verdict for name in (draft.role, draft.reviewer)}
    return not named_in(title)[0] or any(name and name in title for name in told)
