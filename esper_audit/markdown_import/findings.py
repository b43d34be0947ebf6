"""The findings of a report: sections with a severity, a place and an issue; rows of recommendations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.finding import Severity
from esper_audit.markdown_import.blocks import Block, Kind
from esper_audit.markdown_import.document import Section, text_of
from esper_audit.markdown_import.drafts import paragraph
from esper_audit.markdown_import.severities import severity_in
from esper_audit.markdown_import.statements import in_paragraph
from esper_audit.markdown_import.tables import read_table
from esper_audit.markdown_import.values import bare, one_line
from esper_audit.markdown_import.vocabulary import meanings, words

LABELS = {
    "where": "location, locations, file, files, where, code location, affected files, affected code",
    "wrong": "issue, problem, description, finding, details, what, the issue, observation, whats wrong",
    "why": "impact, why it matters, why this matters, risk, consequence, consequences, rl impact",
    "fix": "recommendation, recommendations, fix, recommended fix, suggested fix, suggestion, action, "
    "solution, proposed fix",
    "evidence": "evidence, code, code evidence",
    "severity": "severity, priority",
}
FIELD_OF = meanings(LABELS)
NUMBER = re.compile(
    r"(?:(?:finding|issue|f|c)[ -]?)?#?(?P<number>\d+(?:\.\d+)*)[.):]?\s+", re.IGNORECASE
)
LEVEL = r"(?:CRITICAL|BLOCKER|HIGH|MAJOR|MEDIUM|MODERATE|LOW|MINOR|TRIVIAL|INFO|P[0-4])"
LED = re.compile(
    rf"[\[(*]*(?P<level>{LEVEL})\b(?: (?:severity|priority))?[\])*]*\s*(?:[-–—:]\s*)?",
    re.IGNORECASE,
)
TAILED = re.compile(
    rf"\s*[-–—:]?\s*[\[(](?P<level>{LEVEL})(?: (?:severity|priority))?[\])]\s*$", re.IGNORECASE
)


class Finding(msgspec.Struct, frozen=True):
    """A finding as the report has it: its number there, its name, its texts by field, the rest by label."""

    number: str
    title: str
    severity: Severity | None
    said: str
    heading: str
    texts: dict[str, str]
    others: tuple[tuple[str, str], ...]


class Recommendation(msgspec.Struct, frozen=True):
    """A row of the consolidated recommendations."""

    name: str
    where: str
    action: str
    heading: str
    row: int
    severity: Severity | None


def findings_in(sections: Sequence[Section], above: str = "") -> Iterator[tuple[Section, Finding]]:
    """Yield the sections that are findings, wherever they stand; none of them is inside another."""
    for section in sections:
        found = _finding(section, above)
        if found is None:
            yield from findings_in(section.children, section.title)
        else:
            yield section, found


def recommendations_in(
    sections: Sequence[Section], *, inside: bool = False
) -> Iterator[Recommendation]:
    """Yield the rows of tables below headings that name a priority, in a section of recommendations."""
    for section in sections:
        about = inside or "recommendation" in words(section.title)
        severity = severity_in(section.title)
        if about and severity is not None:
            rows = [row for block in section.blocks for row in _rows(block)]
            for number, (name, where, action) in enumerate(rows, 1):
                yield Recommendation(name, where, action, section.title, number, severity)
        yield from recommendations_in(section.children, inside=about)


def _finding(section: Section, above: str) -> Finding | None:
    title = section.title.strip()
    number = NUMBER.match(title)
    rest = title[number.end() :] if number else title
    led, tailed = LED.match(rest), TAILED.search(rest)
    texts, others = _texts(section)
    named = led or tailed
    said = named["level"] if named else one_line(bare(texts.get("severity", "")))
    severity = severity_in(said) if said else None
    if severity is None or len(texts.keys() & {"where", "wrong", "why", "fix"}) < 1:
        return None
    name = rest[led.end() :] if led else TAILED.sub("", rest)
    heading = f"{above} / {title}" if above else title
    return Finding(
        number["number"] if number else "", name.strip(), severity, said, heading, texts, others
    )


def _texts(section: Section) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Return the texts behind labels and below headings: by field, and by label where none is meant."""
    held: list[tuple[str, list[Block | Section]]] = [("", [])]
    for block in section.blocks:
        for label, rest in _labelled(block):
            if label:
                held.append((label, []))
            held[-1][1].extend(rest)
    held += [(child.title, list(child.nodes)) for child in section.children]
    texts: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for label, nodes in held:
        field, text = FIELD_OF.get(words(label), ""), text_of(nodes)
        if field and field not in texts:
            texts[field] = text
        elif label or text:
            others.append((label, text))
    return texts, tuple(others)


def _labelled(block: Block) -> Iterator[tuple[str, list[Block]]]:
    """Yield the labels of a paragraph, each with its text; labels of no field begin nothing."""
    if block.kind is not Kind.PARAGRAPH:
        yield "", [block]
        return
    line = block.first
    for statement in in_paragraph(block):
        count = statement.source.count("\n") + 1
        if words(statement.label) in FIELD_OF:
            start = line + count - (statement.value.count("\n") + 1)
            yield statement.label, [paragraph(statement.value, start)] if statement.value else []
        else:
            yield "", [paragraph(statement.source, line)]
        line += count


def _rows(block: Block) -> Iterator[tuple[str, str, str]]:
    if block.kind is Kind.TABLE:
        for row in read_table(block).rows:
            cells = [one_line(cell) for cell in row]
            if cells[0]:
                middle = cells[1] if len(cells) > 2 else ""
                yield cells[0], middle, ": ".join(filter(None, cells[2:] or cells[1:]))
    elif block.kind is Kind.LIST:
        for item in block.items:
            name, _, action = one_line(item.text).partition(": ")
            yield bare(name).rstrip(":"), "", action
