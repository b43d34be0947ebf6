"""The sections of a document by the part of the form that they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import (
    TOP_LEVEL,
    BlockKind,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
    is_empty_value,
    one_line,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import paragraph_values
from esper_audit.tickets.markdown_import.sections.reviews import read_reviews
from esper_audit.tickets.markdown_import.terms.headings import (
    FormPart,
    HeadingMeaning,
    heading_meaning,
    split_heading,
)
from esper_audit.tickets.markdown_import.terms.verdicts import verdict_in
from esper_audit.tickets.parts import AsWritten, Extra

REVIEW = re.compile(r"\s*(?:cross|peer)[\s-]*reviews?\b", re.IGNORECASE)
ABOUT_REVIEW = re.compile(r"\breview\b", re.IGNORECASE)


def hoist_sections(sections: Sequence[DocumentSection]) -> list[DocumentSection]:
    """Return sections with the reviews and resolutions inside them moved behind them."""
    found: list[DocumentSection] = []
    for section in sections:
        meaning = heading_meaning(section.title)
        is_review = meaning is not None and meaning.part is FormPart.REVIEW
        found += [section] if is_review else _hoist(section)
    return found


def _hoist(section: DocumentSection) -> Iterator[DocumentSection]:
    """Yield a section without the reviews and the resolution inside it, then these."""
    meaning = heading_meaning(section.title)
    is_resolution = meaning is not None and meaning.part is FormPart.RESOLUTION
    hoisted = [
        child
        for child in section.children
        if _is_review(child) or (_is_resolution(child) and not is_resolution)
    ]
    reviews = [block for block in section.blocks if _is_review_line(block)]
    yield msgspec.structs.replace(
        section,
        blocks=tuple(block for block in section.blocks if block not in reviews),
        children=tuple(child for child in section.children if child not in hoisted),
    )
    yield from (child.moved(TOP_LEVEL - child.level) for child in hoisted)
    if reviews:
        heading = FormPart.REVIEW.value
        yield DocumentSection(heading, TOP_LEVEL, f"## {heading}", tuple(reviews))


def _is_review(child: DocumentSection) -> bool:
    return bool(REVIEW.match(child.title) and read_reviews([child]).reviews)


def _is_resolution(child: DocumentSection) -> bool:
    return words(split_heading(child.title)[0]) == words(FormPart.RESOLUTION.value)


def _is_review_line(block: MarkdownBlock) -> bool:
    """Return whether a paragraph is a review in one labelled line (`**DRL Review:** ENDORSE - why`)."""
    values = paragraph_values(block) if block.kind is BlockKind.PARAGRAPH else []
    return len(values) == 1 and bool(
        ABOUT_REVIEW.search(values[0].label) and verdict_in(values[0].value, strict=True)
    )


class FormSections:
    """The sections from which each part of the form is read.

    These are the sections under the form's own heading. If all of them are empty, the first section
    under another name of the part is added, and its heading is kept in `as_written`. Sections of no
    part are kept in `extra`.
    """

    def __init__(self, sections: Sequence[DocumentSection]) -> None:
        self.reviews: list[DocumentSection] = []
        self.notes: list[DocumentSection] = []
        self.extra: list[Extra] = []
        self.as_written: list[AsWritten] = []
        self._chosen: dict[FormPart, list[DocumentSection]] = {}
        found = [(section, heading_meaning(section.title)) for section in hoist_sections(sections)]
        for part in FormPart:
            self._choose(part, [(one, name) for one, name in found if name and name.part is part])
        read = [section for chosen in self._chosen.values() for section in chosen]
        for section, meaning in found:
            if meaning is not None and meaning.part is FormPart.REVIEW and section.nodes:
                self.reviews.append(section)
            elif not any(section is other for other in read):
                self._keep(section, meaning)

    def of(self, part: FormPart) -> list[DocumentSection]:
        """Return the sections of a part."""
        return self._chosen.get(part, [])

    def _choose(
        self, part: FormPart, candidates: Sequence[tuple[DocumentSection, HeadingMeaning]]
    ) -> None:
        if part is FormPart.REVIEW:
            return
        own = [section for section, meaning in candidates if meaning.is_own]
        self._chosen[part] = own
        if any(map(_has_content, own)):
            return
        others = [section for section, meaning in candidates if not meaning.is_own]
        for section in filter(_has_content, others):
            self._chosen[part] = [*own, section]
            self.as_written.append(_heading_words(part.name.lower(), section.title))
            return

    def _keep(self, section: DocumentSection, meaning: HeadingMeaning | None) -> None:
        if meaning is not None and meaning.part is FormPart.RESOLUTION:
            self.notes.append(section)
        text = text_of(section.nodes)
        if text:
            self.extra.append(Extra(section=section.title, text=text))
        else:
            self.as_written.append(_heading_words("section", section.title))


def _has_content(section: DocumentSection) -> bool:
    return not is_empty_value(text_of(section.nodes))


def _heading_words(field: str, title: str) -> AsWritten:
    return AsWritten(field=field, where="heading", words=one_line(title))
