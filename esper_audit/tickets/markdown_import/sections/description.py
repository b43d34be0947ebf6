"""Reading the description: what is wrong, why it matters, and the code as evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
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
    """What is wrong, why it matters, the evidence, the original headings, and all other text."""

    wrong: str
    why: str
    evidence: list[Evidence]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_description(sections: Sequence[DocumentSection]) -> Description:
    """Read the sections of the description.

    Without a heading for what is wrong, it is the text above all headings.
    """
    blocks = [block for section in sections for block in section.blocks]
    children = [child for section in sections for child in section.children]
    wrong = _first_with_heading(children, WRONG, OTHER_WRONG)
    why = _first_with_heading(children, WHY, OTHER_WHY)
    shown = _first_with_heading(children, EVIDENCE, OTHER_EVIDENCE)
    read = [child for child in (wrong, why, shown) if child is not None]
    text = text_of(blocks)
    own = text_of(wrong.nodes) if wrong else text
    others = [child for child in children if child not in read]
    extra = unmapped_nodes(FormPart.DESCRIPTION, blocks if wrong else [], others)
    evidence = evidence_in(shown) if shown else []
    named = _other_headings(wrong, why, shown)
    return Description(own, text_of(why.nodes) if why else "", evidence, named, extra)


def evidence_in(section: DocumentSection) -> list[Evidence]:
    """Return each code block of a section with the text before it, and the text after the last one."""
    found: list[Evidence] = []
    before: list[MarkdownBlock | DocumentSection] = []
    for block in section.blocks:
        shown = code_evidence(block)
        if shown is None:
            before.append(block)
            continue
        found.append(msgspec.structs.replace(shown, text=text_of(before)))
        before = []
    text = text_of([*before, *section.children])
    return [*found, Evidence(text=text)] if text else found


def code_evidence(block: MarkdownBlock) -> Evidence | None:
    """Return a fence as evidence.

    A path with lines in its first comment is its place.
    """
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
    """Return the child with the form's heading, else the first whose heading begins with it or is a synonym."""
    filled = [child for child in children if child.nodes]
    exact = [child for child in filled if words(child.title) == own]
    longer = [child for child in filled if words(child.title).startswith(own)]
    synonyms = [child for child in filled if _has_name(child.title, others)]
    return next(iter([*exact, *longer, *synonyms]), None)


def _has_name(title: str, names: Sequence[str]) -> bool:
    """Return whether a heading is one of the names, or ends with one (`DRL Impact`)."""
    title_words = words(title)
    return any(title_words == name or title_words.endswith(f" {name}") for name in names)


def _other_headings(
    wrong: DocumentSection | None, why: DocumentSection | None, shown: DocumentSection | None
) -> list[AsWritten]:
    """Return the headings that are not the form's.

    The one of `why_it_matters` is printed in its place.
    """
    found = []
    if wrong is not None and words(wrong.title) != WRONG:
        found.append(AsWritten(field="description", where="heading", words=wrong.title))
    if shown is not None and words(shown.title) != EVIDENCE:
        found.append(AsWritten(field="evidence", where="heading", words=shown.title))
    if why is not None and words(why.title) != WHY:
        found.append(AsWritten(field="why_it_matters", words=why.title))
    return found
