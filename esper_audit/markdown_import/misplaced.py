"""Reviews and resolutions that stand inside another section are brought out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.markdown_import.blocks import TOP, Block, Kind
from esper_audit.markdown_import.document import Section
from esper_audit.markdown_import.headings import Part, name_of, split_heading
from esper_audit.markdown_import.reviews import reviews_of
from esper_audit.markdown_import.statements import in_paragraph
from esper_audit.markdown_import.verdicts import verdict_in
from esper_audit.markdown_import.vocabulary import words

REVIEW = re.compile(r"\s*(?:cross|peer)[\s-]*reviews?\b", re.IGNORECASE)
ABOUT_REVIEW = re.compile(r"\breview\b", re.IGNORECASE)


def brought_out(sections: Sequence[Section]) -> list[Section]:
    """Return sections with what belongs to the form's reviews and resolution beside them, not inside."""
    found: list[Section] = []
    for section in sections:
        name = name_of(section.title)
        is_review = name is not None and name.part is Part.REVIEW
        found += [section] if is_review else _split(section)
    return found


def _split(section: Section) -> Iterator[Section]:
    """Yield a section without its misplaced parts, then these."""
    name = name_of(section.title)
    ends = name is not None and name.part is Part.RESOLUTION
    out = [c for c in section.children if _is_review(c) or (_is_resolution(c) and not ends)]
    stray = [block for block in section.blocks if _is_stray_review(block)]
    yield msgspec.structs.replace(
        section,
        blocks=tuple(block for block in section.blocks if block not in stray),
        children=tuple(child for child in section.children if child not in out),
    )
    yield from (child.moved(TOP - child.level) for child in out)
    if stray:
        heading = Part.REVIEW.value
        yield Section(heading, TOP, f"## {heading}", tuple(stray))


def _is_review(child: Section) -> bool:
    return bool(REVIEW.match(child.title) and reviews_of([child]).reviews)


def _is_resolution(child: Section) -> bool:
    return words(split_heading(child.title)[0]) == words(Part.RESOLUTION.value)


def _is_stray_review(block: Block) -> bool:
    """Say whether a paragraph is somebody's review in one labelled line (`**DRL Review:** ENDORSE - why`)."""
    said = in_paragraph(block) if block.kind is Kind.PARAGRAPH else []
    return len(said) == 1 and bool(
        ABOUT_REVIEW.search(said[0].label) and verdict_in(said[0].value, strict=True)
    )
