"""The findings of a report in tables: a row each, with a severity of its own or of the heading above."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.block_records import (
    TOP_LEVEL,
    BlockKind,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.markdown_import.report_findings import ReportFinding, is_finding
from esper_audit.tickets.markdown_import.sections.review_builder import paragraph
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.severities import severity_in

COLUMNS = {
    "number": "id, finding id, no, nr, number, ref, key, issue id, ticket, ticket id",
    "severity": "severity, sev, priority, level, p, risk",
    "where": "location, locations, file, files, where, place, path, file line, code location, lines, line",
    "title": "description, finding, issue, title, summary, problem, name, what",
    "fix": "recommendation, recommendations, fix, action, suggested fix, recommended fix, solution, suggestion",
}
COLUMN_OF = by_name(COLUMNS)
HASH = "#"
LINK = re.compile(r"\]\(")


def take_table_findings(
    sections: Sequence[DocumentSection], above: str = ""
) -> tuple[list[DocumentSection], list[ReportFinding]]:
    """Return sections without their tables of findings, and the findings in the rows.

    A table counts if its columns name an id, a severity or a place, beside a description, and each row has a
    severity of its own or below a heading with one. A section that is a finding keeps its tables, and so do
    recommendations.
    """
    kept: list[DocumentSection] = []
    found: list[ReportFinding] = []
    for section in sections:
        if is_finding(section, above) or "recommendation" in words(section.title):
            kept.append(section)
            continue
        blocks: list[MarkdownBlock] = []
        for block in section.blocks:
            rows = _rows(block, section.title, above)
            found += rows
            blocks += [] if rows else [block]
        children, below = take_table_findings(section.children, section.title)
        found += below
        kept.append(
            msgspec.structs.replace(section, blocks=tuple(blocks), children=tuple(children))
        )
    return kept, found


def _rows(block: MarkdownBlock, title: str, above: str) -> list[ReportFinding]:
    """Return the findings in a table, none if it is another table."""
    if block.kind is not BlockKind.TABLE:
        return []
    table = read_table(block)
    fields = [
        "number" if cell.strip() == HASH else COLUMN_OF.get(words(cell), "")
        for cell in table.header
    ]
    of_heading = severity_in(title)
    has_severity = "severity" in fields or of_heading is not None
    if not has_severity or "title" not in fields or not {"number", "where"} & set(fields):
        return []
    found = []
    for row in table.rows:
        finding = _finding(list(zip(fields, table.header, row, strict=True)), of_heading)
        if finding is None:
            return []
        heading = f"{above} / {title}" if above else title
        found.append(msgspec.structs.replace(finding, heading=heading))
    return found


def _finding(
    cells: Sequence[tuple[str, str, str]], of_heading: Severity | None
) -> ReportFinding | None:
    """Return the finding of a row, None without a severity or a description."""
    first: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for field, name, cell in cells:
        text = one_line(cell)
        if field and field not in first:
            first[field] = text
        elif text:
            others.append((without_markup(name), text))
    words_of_severity = without_markup(first.get("severity", ""))
    severity = severity_in(words_of_severity) if words_of_severity else of_heading
    title = first.get("title", "")
    is_link = bool(LINK.search(first.get("number", "")))  # a list of tickets that are elsewhere
    if severity is None or not title or is_link:
        return None
    name = FormPart.DESCRIPTION.value
    return ReportFinding(
        number=without_markup(first.get("number", "")),
        title=title,
        severity=severity,
        severity_words=words_of_severity or severity.value,
        heading="",
        where=first.get("where", ""),
        fix=first.get("fix", ""),
        body=DocumentSection(name, TOP_LEVEL, f"## {name}", (paragraph(title),)),
        cells=tuple(others),
    )
