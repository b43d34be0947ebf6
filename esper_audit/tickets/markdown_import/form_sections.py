"""The sections of a document sorted by the part of the form they are; sections of no part are kept whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import TOP_LEVEL, BlockKind, MarkdownBlock
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
    """Return sections with what belongs to the form's reviews and resolution beside them, not inside."""
    found: list[DocumentSection] = []
    for section in sections:
        name = heading_meaning(section.title)
        is_review = name is not None and name.part is FormPart.REVIEW
        found += [section] if is_review else _hoist(section)
    return found


def _hoist(section: DocumentSection) -> Iterator[DocumentSection]:
    """Yield a section without its misplaced parts, then these."""
    name = heading_meaning(section.title)
    ends = name is not None and name.part is FormPart.RESOLUTION
    out = [c for c in section.children if _is_review(c) or (_is_resolution(c) and not ends)]
    stray = [block for block in section.blocks if _is_stray_review(block)]
    yield msgspec.structs.replace(
        section,
        blocks=tuple(block for block in section.blocks if block not in stray),
        children=tuple(child for child in section.children if child not in out),
    )
    yield from (child.moved(TOP_LEVEL - child.level) for child in out)
    if stray:
        heading = FormPart.REVIEW.value
        yield DocumentSection(heading, TOP_LEVEL, f"## {heading}", tuple(stray))


def _is_review(child: DocumentSection) -> bool:
    return bool(REVIEW.match(child.title) and read_reviews([child]).reviews)


def _is_resolution(child: DocumentSection) -> bool:
    return words(split_heading(child.title)[0]) == words(FormPart.RESOLUTION.value)


def _is_stray_review(block: MarkdownBlock) -> bool:
    """Return whether a paragraph is somebody's review in one labelled line (`**DRL Review:** ENDORSE - why`)."""
    said = paragraph_values(block) if block.kind is BlockKind.PARAGRAPH else []
    return len(said) == 1 and bool(
        ABOUT_REVIEW.search(said[0].label) and verdict_in(said[0].value, strict=True)
    )


class FormSections:
    """What each part of the form is read from.

    A part is the sections under the form's own heading. Where none of these says anything, the first
    section under another name for it is the part, and its heading is kept in words.
    """

    def __init__(self, sections: Sequence[DocumentSection]) -> None:
        self.reviews: list[DocumentSection] = []
        self.notes: list[DocumentSection] = []
        self.extra: list[Extra] = []
        self.as_written: list[AsWritten] = []
        self._chosen: dict[FormPart, list[DocumentSection]] = {}
        named = [(section, heading_meaning(section.title)) for section in hoist_sections(sections)]
        for part in FormPart:
            self._choose(part, [(s, name) for s, name in named if name and name.part is part])
        taken = [section for chosen in self._chosen.values() for section in chosen]
        for section, name in named:
            if name is not None and name.part is FormPart.REVIEW and section.nodes:
                self.reviews.append(section)
            elif not any(section is other for other in taken):
                self._keep(section, name)

    def of(self, part: FormPart) -> list[DocumentSection]:
        """Return the sections of a part."""
        return self._chosen.get(part, [])

    def _choose(
        self, part: FormPart, candidates: Sequence[tuple[DocumentSection, HeadingMeaning]]
    ) -> None:
        if part is FormPart.REVIEW:
            return
        own = [section for section, name in candidates if name.own]
        others = [(section, name) for section, name in candidates if not name.own]
        if any(_has_content(section) for section in own):
            self._chosen[part] = own
            return
        self._chosen[part] = own
        for section, _ in others:
            if _has_content(section):
                self._chosen[part] = [*own, section]
                self.as_written.append(_heading_words(part.name.lower(), section.title))
                return

    def _keep(self, section: DocumentSection, name: HeadingMeaning | None) -> None:
        if name is not None and name.part is FormPart.RESOLUTION:
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
