"""The findings of a report: sections with a severity, a place and an issue; rows of recommendations."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.blocks import TOP_LEVEL, BlockKind, MarkdownBlock
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
    """A finding as the report has it: its number and name, its severity in words, its texts.

    `heading` is where it stands; `body` is what describes it, as a section of the form.
    """

    number: str
    title: str
    severity: Severity
    said: str
    heading: str
    where: str
    fix: str
    body: DocumentSection


class Recommendation(msgspec.Struct, frozen=True):
    """A row of the consolidated recommendations."""

    name: str
    where: str
    action: str
    heading: str
    row: int
    severity: Severity | None


def findings_in(
    sections: Sequence[DocumentSection], above: str = ""
) -> Iterator[tuple[DocumentSection, ReportFinding]]:
    """Yield the sections that are findings, wherever they stand; none of them is inside another."""
    for section in sections:
        found = _finding(section, above)
        if found is None:
            yield from findings_in(section.children, section.title)
        else:
            yield section, found


def recommendations_in(
    sections: Sequence[DocumentSection], *, inside: bool = False
) -> Iterator[Recommendation]:
    """Yield the rows of tables below headings that name a priority, in a section of recommendations."""
    for section in sections:
        about = inside or "recommendation" in words(section.title)
        severity = severity_in(section.title)
        if about and severity is not None:
            rows = [row for block in section.blocks for row in _recommendation_rows(block)]
            for number, (name, where, action) in enumerate(rows, 1):
                yield Recommendation(name, where, action, section.title, number, severity)
        yield from recommendations_in(section.children, inside=about)


def _finding(section: DocumentSection, above: str) -> ReportFinding | None:
    title = section.title.strip()
    number = NUMBER.match(title)
    rest = title[number.end() :] if number else title
    led, tailed = LEADING_LEVEL.match(rest), TRAILING_LEVEL.search(rest)
    texts = _FindingTexts(section)
    named = led or tailed
    said = named["level"] if named else one_line(without_markup(texts.taken("severity")))
    severity = severity_in(said) if said else None
    if severity is None or not texts.describe:
        return None
    return ReportFinding(
        number=number["number"] if number else "",
        title=(rest[led.end() :] if led else TRAILING_LEVEL.sub("", rest)).strip() or title,
        severity=severity,
        said=said,
        heading=f"{above} / {title}" if above else title,
        where=texts.taken("where"),
        fix=texts.taken("fix"),
        body=texts.body(),
    )


class _FindingTexts:
    """The texts of a finding, behind labels and below headings."""

    def __init__(self, section: DocumentSection) -> None:
        self._held: list[tuple[str, list[MarkdownBlock | DocumentSection]]] = [("", [])]
        for block in section.blocks:
            for label, rest in _labelled_blocks(block):
                if label:
                    self._held.append((label, []))
                self._held[-1][1].extend(rest)
        below = [child.moved(BELOW - child.level) for child in section.children]
        self._held += [(child.title, list(child.nodes)) for child in below]
        fields = {FIELD_OF.get(words(label), "") for label, _ in self._held}
        self.describe = not fields.isdisjoint({"where", "wrong", "why", "fix"})

    def taken(self, field: str) -> str:
        """Take the first text for a field out of the others."""
        for number, (label, nodes) in enumerate(self._held):
            if FIELD_OF.get(words(label), "") == field:
                del self._held[number]
                return text_of(nodes)
        return ""

    def body(self) -> DocumentSection:
        """Return what is left as the form's section of description, an issue as what is wrong."""
        blocks = [
            node for _, nodes in self._held[:1] for node in nodes if isinstance(node, MarkdownBlock)
        ]
        children = [
            _subsection("What's Wrong" if words(label) == "issue" else label, nodes)
            for label, nodes in self._held[1:]
        ]
        name = FormPart.DESCRIPTION.value
        return DocumentSection(name, TOP_LEVEL, f"## {name}", tuple(blocks), tuple(children))


def _subsection(title: str, nodes: Sequence[MarkdownBlock | DocumentSection]) -> DocumentSection:
    blocks = tuple(node for node in nodes if isinstance(node, MarkdownBlock))
    children = tuple(node for node in nodes if isinstance(node, DocumentSection))
    return DocumentSection(title, BELOW, f"### {title}", blocks, children)


def _labelled_blocks(block: MarkdownBlock) -> Iterator[tuple[str, list[MarkdownBlock]]]:
    """Yield the labels of a block, each with its text; labels of no field begin nothing."""
    if block.kind is not BlockKind.PARAGRAPH:
        pairs = list_values(block) if block.kind is BlockKind.LIST else []
        pairs = table_values(block, FIELD_OF) if block.kind is BlockKind.TABLE else pairs
        if not any(words(pair.label) in FIELD_OF for pair in pairs):
            pairs = [LabelledValue("", block.text, block.text)]
        for pair in pairs:
            label = pair.label if words(pair.label) in FIELD_OF else ""
            held = paragraph(textwrap.dedent(pair.value) if label else pair.source)
            yield label, [held if len(pairs) > 1 or label else block]
        return
    line = block.first
    for statement in paragraph_values(block):
        count = statement.source.count("\n") + 1
        if words(statement.label) in FIELD_OF:
            start = line + count - (statement.value.count("\n") + 1)
            yield statement.label, [paragraph(statement.value, start)] if statement.value else []
        else:
            yield "", [paragraph(statement.source, line)]
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
