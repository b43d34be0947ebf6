"""The sections of a ticket's page, and the content that fits no field in the order of the page."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Category
from esper_audit.tickets.parts import Extra

METADATA = "Ticket Metadata"
LOCATION = "Location"
SUMMARY = "Summary"
DESCRIPTION = "Detailed Description"
FIX = "Recommended Fix"
VERIFICATION = "Verification"
RELATED = "Related Findings"
RESOLUTION = "Resolution"
HISTORY = "History"
APPENDIX = "Appendix"
BEFORE_OTHERS = ("", METADATA, LOCATION, SUMMARY, DESCRIPTION, FIX, VERIFICATION, RELATED)
BEHIND_OTHERS = (RESOLUTION, HISTORY, APPENDIX)
KNOWN = frozenset({*BEFORE_OTHERS, *BEHIND_OTHERS})
CATEGORY_NAMES = {
    Category.CORRECTNESS: "Correctness bug",
    Category.RACE_CONDITION: "Race condition / concurrency",
    Category.MEMORY_RESOURCE: "Memory leak / resource issue",
    Category.PERFORMANCE: "Performance bottleneck",
    Category.NUMERICAL_STABILITY: "Numerical stability",
    Category.TORCH_COMPILE: "torch.compile compatibility",
    Category.DEAD_CODE: "Dead code / unwired functionality",
    Category.API_CONTRACT: "API design / contract violation",
    Category.TEST_COVERAGE: "Test coverage gap",
    Category.DOCUMENTATION: "Documentation / naming",
    Category.DEFENSIVE_PROGRAMMING: "Defensive programming violation",
    Category.LEGACY_POLICY: "Legacy code policy violation",
}


class FormSection(msgspec.Struct, frozen=True):
    """Content of a section that fits no field: rows of its table, its text, texts below headings."""

    name: str
    rows: list[Extra] = []
    text: str = ""
    headed: list[Extra] = []


def sections(extra: Iterable[Extra]) -> dict[str, FormSection]:
    """Return the sections with content that fits no field, in page order.

    Sections that the form does not define are placed before the resolution, in their own order.
    """
    by_name: dict[str, list[Extra]] = {}
    for part in extra:
        by_name.setdefault(part.section, []).append(part)
    others = [name for name in by_name if name not in KNOWN]
    return {
        name: _section(name, by_name[name])
        for name in (*BEFORE_OTHERS, *others, *BEHIND_OTHERS)
        if name in by_name
    }


def order_extras(extra: Iterable[Extra]) -> list[Extra]:
    """Return the content that fits no field in page order, the texts of a section joined."""
    ordered: list[Extra] = []
    for section in sections(extra).values():
        ordered += section.rows
        if section.text:
            ordered.append(Extra(section=section.name, text=section.text))
        ordered += section.headed
    return ordered


def _section(name: str, parts: list[Extra]) -> FormSection:
    texts = [part.text for part in parts if not (part.row or part.heading)]
    return FormSection(
        name=name,
        rows=[part for part in parts if part.row],
        text="\n\n".join(text.strip("\n") for text in texts),
        headed=[part for part in parts if part.heading and not part.row],
    )
