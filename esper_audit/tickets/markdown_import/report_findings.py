"""The findings of a report, which are sections with a severity, and its rows of recommendations."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.block_records import (
    TOP_LEVEL,
    BlockKind,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    list_values,
    paragraph_values,
    table_values,
)
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.markdown_import.sections.review_builder import paragraph
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.severities import severity_in

LABELS = {
    "where": "location, locations, file, files, where, code location, affected files, affected code",
    "wrong": "issue, problem, description, finding, details, what, the issue, observation, whats wrong",
    "why": "impact, why it matters, why this matters, risk, consequence, consequences, rl impact",
    "fix": "recommendation, recommendations, fix, recommended fix, suggested fix, suggestion, action, "
    "solution, proposed fix",
    "evidence": "evidence, code, code evidence",
    "severity": "severity, priority",
}
FIELD_OF = by_name(LABELS)
BELOW = TOP_LEVEL + 1
NUMBER = re.compile(
    r"(?:(?:finding|issue|f|c)[ -]?)?#?(?P<number>\d+(?:\.\d+)*)[.):]?\s+", re.IGNORECASE
)
LEVEL = r"(?:CRITICAL|BLOCKER|HIGH|MAJOR|MEDIUM|MODERATE|LOW|MINOR|TRIVIAL|INFO|P[0-4])"
LEADING_LEVEL = re.compile(
    rf"[\[(*]*(?P<level>{LEVEL})\b(?: (?:severity|priority))?[\])*]*\s*(?:[-–—:]\s*)?",
    re.IGNORECASE,
)
TRAILING_LEVEL = re.compile(
    rf"\s*[-–—:]?\s*[\[(](?P<level>{LEVEL})(?: (?:severity|priority))?[\])]\s*$", re.IGNORECASE
)


class ReportFinding(msgspec.Struct, frozen=True):
    """A finding as the report describes it.

    `heading` is its own heading with the one above. `body` is its description, as a section of the form.
    `cells` are the names and texts of the columns without field, for a finding in a table.
    """

    number: str
    title: str
    severity: Severity
    severity_words: str
    heading: str
    where: str
    fix: str
    body: DocumentSection
    cells: tuple[tuple[str, str], ...] = ()


class Recommendation(msgspec.Struct, frozen=True):
    """A row of the consolidated recommendations."""

    name: str
    where: str
    action: str
    heading: str
    severity: Severity | None


def findings_in(
    sections: Sequence[DocumentSection], above: str = ""
) -> Iterator[tuple[DocumentSection, ReportFinding]]:
    """Yield the sections that are findings, at any level.

    A finding contains no other finding.
    """
    for section in sections:
        found = _finding(section, above)
        if found is None:
            yield from findings_in(section.children, section.title)
        else:
            yield section, found


def is_finding(section: DocumentSection, above: str = "") -> bool:
    """Return whether a section is a finding."""
    return _finding(section, above) is not None


def recommendations_in(
    sections: Sequence[DocumentSection], *, inside: bool = False
) -> Iterator[Recommendation]:
    """Yield the rows below headings with a priority, in sections of recommendations."""
    for section in sections:
        is_inside = inside or "recommendation" in words(section.title)
        severity = severity_in(section.title)
        if is_inside and severity is not None:
            rows = [row for block in section.blocks for row in _recommendation_rows(block)]
            for name, where, action in rows:
                yield Recommendation(name, where, action, section.title, severity)
        yield from recommendations_in(section.children, inside=is_inside)


def _finding(section: DocumentSection, above: str) -> ReportFinding | None:
    title = section.title.strip()
    number = NUMBER.match(title)
    rest = title[number.end() :] if number else title
    leading = LEADING_LEVEL.match(rest)
    texts = _FindingTexts(section)
    level = leading or TRAILING_LEVEL.search(rest)
    severity_words = level["level"] if level else one_line(without_markup(texts.take("severity")))
    severity = severity_in(severity_words) if severity_words else None
    if severity is None or not texts.has_description:
        return None
    return ReportFinding(
        number=number["number"] if number else "",
        title=(rest[leading.end() :] if leading else TRAILING_LEVEL.sub("", rest)).strip() or title,
        severity=severity,
        severity_words=severity_words,
        heading=f"{above} / {title}" if above else title,
        where=texts.take("where"),
        fix=texts.take("fix"),
        body=texts.body(),
    )


class _FindingTexts:
    """The texts of a finding by their labels or headings."""

    def __init__(self, section: DocumentSection) -> None:
        self._texts: list[tuple[str, list[MarkdownBlock | DocumentSection]]] = [("", [])]
        for block in section.blocks:
            for label, rest in _labelled_blocks(block):
                if label:
                    self._texts.append((label, []))
                self._texts[-1][1].extend(rest)
        below = [child.moved(BELOW - child.level) for child in section.children]
        self._texts += [(child.title, list(child.nodes)) for child in below]
        fields = {FIELD_OF.get(words(label), "") for label, _ in self._texts}
        self.has_description = not fields.isdisjoint({"where", "wrong", "why", "fix"})

    def take(self, field: str) -> str:
        """Remove and return the first text of a field, empty without one."""
        for number, (label, nodes) in enumerate(self._texts):
            if FIELD_OF.get(words(label), "") == field:
                del self._texts[number]
                return text_of(nodes)
        return ""

    def body(self) -> DocumentSection:
        """Return the remaining texts as the form's section of description."""
        blocks = [
            node
            for _, nodes in self._texts[:1]
            for node in nodes
            if isinstance(node, MarkdownBlock)
        ]
        children = [
            _subsection("What's Wrong" if words(label) == "issue" else label, nodes)
            for label, nodes in self._texts[1:]
        ]
        name = FormPart.DESCRIPTION.value
        return DocumentSection(name, TOP_LEVEL, f"## {name}", tuple(blocks), tuple(children))


def _subsection(title: str, nodes: Sequence[MarkdownBlock | DocumentSection]) -> DocumentSection:
    blocks = tuple(node for node in nodes if isinstance(node, MarkdownBlock))
    children = tuple(node for node in nodes if isinstance(node, DocumentSection))
    return DocumentSection(title, BELOW, f"### {title}", blocks, children)


def _labelled_blocks(block: MarkdownBlock) -> Iterator[tuple[str, list[MarkdownBlock]]]:
    """Yield the labelled texts of a block.

    A label without field is part of the text before it.
    """
    if block.kind is not BlockKind.PARAGRAPH:
        pairs = list_values(block) if block.kind is BlockKind.LIST else []
        pairs = table_values(block, FIELD_OF) if block.kind is BlockKind.TABLE else pairs
        if not any(words(pair.label) in FIELD_OF for pair in pairs):
            pairs = [LabelledValue("", block.text, block.text)]
        for pair in pairs:
            label = pair.label if words(pair.label) in FIELD_OF else ""
            text = paragraph(textwrap.dedent(pair.value) if label else pair.source)
            yield label, [text if len(pairs) > 1 or label else block]
        return
    line = block.first
    for labelled in paragraph_values(block):
        count = labelled.source.count("\n") + 1
        if words(labelled.label) in FIELD_OF:
            start = line + count - (labelled.value.count("\n") + 1)
            yield labelled.label, [paragraph(labelled.value, start)] if labelled.value else []
        else:
            yield "", [paragraph(labelled.source, line)]
        line += count


def _recommendation_rows(block: MarkdownBlock) -> Iterator[tuple[str, str, str]]:
    if block.kind is BlockKind.TABLE:
        for row in read_table(block).rows:
            cells = [one_line(cell) for cell in row]
            if cells[0]:
                middle = cells[1] if len(cells) > 2 else ""
                yield cells[0], middle, ": ".join(filter(None, cells[2:] or cells[1:]))
    elif block.kind is BlockKind.LIST:
        for item in block.items:
            name, _, action = one_line(item.text).partition(": ")
            yield without_markup(name).rstrip(":"), "", action
