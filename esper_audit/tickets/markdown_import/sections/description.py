"""The description: what is wrong, why it matters, the code that shows it; other headings stay below theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import words
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_nodes
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import AsWritten, Evidence, Extra

WRONG, WHY, EVIDENCE = "whats wrong", "why this matters", "code evidence"
OTHER_WRONG = ("whats noted", "what is wrong", "problem", "issue", "what happens", "observation")
OTHER_EVIDENCE = (
    "evidence",
    "current code",
    "problematic code",
    "relevant code",
    "affected code",
    "code snippet",
    "offending code",
)
OTHER_WHY = ("impact", "why it matters", "consequences", "risk", "consequence", "significance")
PLACE = re.compile(r"#\s*(?P<place>[^\s:]*[\w/]\.\w{1,4}(?::[\d,\-–L ]*\d)?)\s*")


class Description(msgspec.Struct, frozen=True):
    """What is wrong, why it matters, what shows it, the form's own words for these, and the rest."""

    wrong: str
    why: str
    evidence: list[Evidence]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_description(sections: Sequence[DocumentSection]) -> Description:
    """Read the sections that describe; text without heading says what is wrong where no heading does."""
    blocks = [block for section in sections for block in section.blocks]
    children = [child for section in sections for child in section.children]
    wrong = _first_with_heading(children, WRONG, OTHER_WRONG)
    why = _first_with_heading(children, WHY, OTHER_WHY)
    shown = _first_with_heading(children, EVIDENCE, OTHER_EVIDENCE)
    taken = [child for child in (wrong, why, shown) if child is not None]
    text = text_of(blocks)
    own = text_of(wrong.nodes) if wrong else text
    others = [child for child in children if child not in taken]
    extra = unmapped_nodes(FormPart.DESCRIPTION, blocks if wrong else [], others)
    evidence = evidence_in(shown) if shown else []
    named = _other_headings(wrong, why, shown)
    return Description(own, text_of(why.nodes) if why else "", evidence, named, extra)


def evidence_in(section: DocumentSection) -> list[Evidence]:
    """Return the code of a section, each with the text in front of it; other text is evidence of its own."""
    found: list[Evidence] = []
    held: list[MarkdownBlock | DocumentSection] = []
    for block in section.blocks:
        shown = _code_evidence(block)
        if shown is None:
            held.append(block)
            continue
        found.append(msgspec.structs.replace(shown, text=text_of(held)))
        held = []
    text = text_of([*held, *section.children])
    return [*found, Evidence(text=text)] if text else found


def _code_evidence(block: MarkdownBlock) -> Evidence | None:
    """Return a fence as evidence; a first comment that is a path and lines is its place."""
    if block.kind is not BlockKind.FENCE:
        return None
    first, _, rest = block.code.strip("\n").partition("\n")
    match = PLACE.fullmatch(first)
    code = rest.strip("\n") if match else block.code.strip("\n")
    if not (code or match):
        return None
    return Evidence(code=code, place=match["place"] if match else "", language=block.language)


def _first_with_heading(
    children: Iterable[DocumentSection], own: str, others: Sequence[str]
) -> DocumentSection | None:
    """Return the child with the form's heading, or the first that begins with it or means the same."""
    held = [child for child in children if child.nodes]
    exact = [child for child in held if words(child.title) == own]
    longer = [child for child in held if words(child.title).startswith(own)]
    meant = [child for child in held if _has_name(child.title, others)]
    return next(iter([*exact, *longer, *meant]), None)


def _has_name(title: str, names: Sequence[str]) -> bool:
    """Return whether a heading is one of some names, or ends with one (`DRL Impact`)."""
    said = words(title)
    return any(said == name or said.endswith(f" {name}") for name in names)


def _other_headings(
    wrong: DocumentSection | None, why: DocumentSection | None, shown: DocumentSection | None
) -> list[AsWritten]:
    """Return the headings that are not the form's: the one for why it matters is printed in its place."""
    found = []
    if wrong is not None and words(wrong.title) != WRONG:
        found.append(AsWritten(field="description", where="heading", words=wrong.title))
    if shown is not None and words(shown.title) != EVIDENCE:
        found.append(AsWritten(field="evidence", where="heading", words=shown.title))
    if why is not None and words(why.title) != WHY:
        found.append(AsWritten(field="why_it_matters", words=why.title))
    return found
