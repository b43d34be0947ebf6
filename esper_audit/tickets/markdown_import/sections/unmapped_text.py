"""Text without a field, as the `extra` of a ticket."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.block_records import MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import Extra


def unmapped_nodes(
    part: FormPart,
    nodes: Sequence[MarkdownBlock | DocumentSection],
    below: Sequence[DocumentSection] = (),
) -> list[Extra]:
    """Return nodes as text of a section, empty without text, and the sections `below` by their headings."""
    return [*unmapped_text(part, text_of(nodes)), *unmapped_sections(part, below)]


def unmapped_text(part: FormPart, text: str) -> list[Extra]:
    """Return a text as that of a section, empty for an empty text."""
    return [Extra(section=part.value, text=text)] if text else []


def unmapped_sections(part: FormPart, sections: Sequence[DocumentSection]) -> list[Extra]:
    """Return the subsections of a section of the form by their headings."""
    return [
        Extra(section=part.value, heading=section.title, text=text_of(section.nodes))
        for section in sections
    ]
