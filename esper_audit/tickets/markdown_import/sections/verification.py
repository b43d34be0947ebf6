"""Reading the verification: every item of its lists is a step."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import words
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_nodes
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import Extra, Step

OWN_HEADING = "how to verify the fix"


class Verification(msgspec.Struct, frozen=True):
    """The steps, and all other text."""

    steps: list[Step]
    extra: list[Extra]


def read_verification(sections: Sequence[DocumentSection]) -> Verification:
    """Read the sections of verification.

    Subsections with other headings become `extra`.
    """
    blocks = [block for section in sections for block in section.blocks]
    children = [child for section in sections for child in section.children]
    own = [child for child in children if words(child.title) == OWN_HEADING]
    blocks += [block for child in own for block in child.blocks]
    lists = [block for block in blocks if block.kind is BlockKind.LIST]
    steps = [
        Step(text=item.text.strip("\n"), done=bool(item.done))
        for block in lists
        for item in block.items
        if item.text.strip()
    ]
    rest = [block for block in blocks if block not in lists]
    others = [child for child in children if child not in own]
    others += [grandchild for child in own for grandchild in child.children]
    return Verification(steps, unmapped_nodes(FormPart.VERIFICATION, rest, others))
