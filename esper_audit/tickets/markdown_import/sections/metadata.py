"""Reading the head of a ticket from a table, labelled lines, a list or front matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import Document, DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    date_in,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    block_values,
)
from esper_audit.tickets.markdown_import.sections.review_builder import paragraph
from esper_audit.tickets.markdown_import.sections.unmapped_text import unmapped_sections
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.markdown_import.terms.severities import LEVEL, severity_in
from esper_audit.tickets.parts import AsWritten, Extra

FORM_LABELS = {
    "ticket id": "id",
    "severity": "severity",
    "severity reason": "severity_reason",
    "status": "status",
    "batch": "batch",
    "agent": "agent",
    "domain": "domain",
    "assignee": "assignee",
    "created": "created",
    "updated": "updated",
}
OTHER_LABELS = {
    "id": "id, ticket, issue id, finding id, bug id, issue, ticket number, ticket no, finding, bug",
    "title": "title, name, subject, short title",
    "severity": "priority, sev, severity level, priority level, severity priority",
    "status": "state, current status, ticket status, workflow status",
    "batch": "batch number, review batch",
    "agent": "raised by, reporter, reported by, found by, author, source agent, reviewer agent, filed by, "
    "identified by, discovered by",
    "domain": "component, subsystem, area, package, affected component, affected subsystem",
    "assignee": "assigned to, owner, assigned",
    "created": "date, date created, opened, reported, created on, date found, date reported, filed, "
    "created at, created date, discovered, raised, date opened",
    "updated": "last updated, modified, last modified, date updated, updated on, updated at",
    "category": "category, categories, type, issue type, kind, bug type",
    "impact": "impact",
    "resolution": "resolution, disposition, outcome, final status, resolution status, closure, final disposition",
    "summary": "one line summary, summary, one liner",
    "files": "file s, file, files, location, path, affected file, affected files",
    "lines": "line s, line, lines, line number, line numbers",
    "symbols": "function class, function, class, symbol, method",
}
FIELD_OF = by_name(OTHER_LABELS)
KNOWN_LABELS = frozenset({*FORM_LABELS, *FIELD_OF})
INLINE = re.compile(r"(?=(?:\*\*|__)[^*_\n]{1,60}:?(?:\*\*|__):?\s)")
SEPARATORS = " \t|·•;,"


class Metadata(msgspec.Struct, frozen=True):
    """The words of the head by field.

    `own` are those with a label of the form. `other` are those with a label of another form, which stay
    in `extra` too.
    """

    own: dict[str, str]
    other: dict[str, str]
    extra: list[Extra]

    def get(self, field: str) -> str:
        """Return the words of a field, empty without any."""
        return self.own.get(field) or self.other.get(field, "")


def read_metadata(document: Document, sections: Iterable[DocumentSection]) -> Metadata:
    """Read the front matter, the blocks before the first section, and the sections of metadata."""
    own: dict[str, str] = {}
    other: dict[str, str] = {}
    extra: list[Extra] = []
    front = [
        LabelledValue(key.strip(), value.strip().strip("\"'"), line)
        for line in document.front
        for key, colon, value in [line.partition(":")]
        if line.strip()
    ]
    extra += _read_values(front, own, other)
    extra += _read_blocks(document.preamble, "", own, other)
    for section in sections:
        extra += _read_blocks(section.blocks, FormPart.METADATA.value, own, other)
        extra += unmapped_sections(FormPart.METADATA, section.children)
    return Metadata(own, other, extra)


def _read_blocks(
    blocks: Sequence[MarkdownBlock], section: str, own: dict[str, str], other: dict[str, str]
) -> list[Extra]:
    """Read the labelled values of blocks into `own` and `other`, and return all other text."""
    extra: list[Extra] = []
    unread: list[MarkdownBlock] = []
    for block, found in block_values(
        [_split_labels(block) for block in blocks], KNOWN_LABELS, KNOWN_LABELS
    ):
        in_head = section or any(words(statement.label) in KNOWN_LABELS for statement in found)
        rows = [statement for statement in found if _is_row(statement)]
        if rows and in_head and (len(rows) == len(found) or block.kind is BlockKind.LIST):
            extra += _read_values(rows, own, other)
            texts = [statement.source for statement in found if statement not in rows]
            unread += [paragraph("\n".join(texts))] if texts else []
        else:
            unread.append(block)
    text = text_of(unread)
    return [*extra, Extra(section=section, text=text)] if text else extra


def _is_row(statement: LabelledValue) -> bool:
    return statement.is_one_line and "|" not in statement.label


def _read_values(
    found: Iterable[LabelledValue], own: dict[str, str], other: dict[str, str]
) -> Iterable[Extra]:
    """Read labelled values into fields, and yield those without a label of the form as `extra`."""
    for statement in found:
        label = words(statement.label)
        field = FORM_LABELS.get(label)
        if field is not None and field not in own:
            own[field] = _without_line_break(statement.value)
            continue
        if label in FIELD_OF and not is_placeholder(statement.value):
            other.setdefault(FIELD_OF[label], _without_line_break(statement.value))
        value = one_line(_without_line_break(statement.value))
        yield Extra(section=FormPart.METADATA.value, row=statement.label, text=value)


def is_placeholder(value: str) -> bool:
    """Return whether a value is a placeholder of the template (`{1-10}`, `YYYY-MM-DD`)."""
    return bool(re.search(r"\{[^}]*\}|YYYY|^\[[^\]]*\]$", value))


def _without_line_break(value: str) -> str:
    """Return a value without the backslash of a line break."""
    return value.strip().removesuffix("\\").rstrip()


def _split_labels(block: MarkdownBlock) -> MarkdownBlock:
    """Split a line with several bold labels into a line for each label."""
    if block.kind not in (BlockKind.PARAGRAPH, BlockKind.TABLE):
        return block
    lines: list[str] = []
    for line in block.lines:
        parts = [part.strip(SEPARATORS) for part in INLINE.split(line) if part.strip(SEPARATORS)]
        inline = len(parts) > 1 and not line.lstrip().startswith("|") and line.lstrip()[0] in "*_"
        lines += parts if inline else [line]
    return (
        msgspec.structs.replace(block, lines=tuple(lines))
        if len(lines) > len(block.lines)
        else block
    )


SEVERITY_NOT_STATED = "the document states none"
DEFAULT_SEVERITY = Severity.P3
FREE_FIELDS = ("batch", "agent", "domain", "assignee")
DATE_FIELDS = ("created", "updated")


class HeadFields(msgspec.Struct, frozen=True):
    """The fields of the head, and the original words that differ from them."""

    severity: Severity
    severity_reason: str
    free: dict[str, str]
    dates: dict[str, str]
    as_written: list[AsWritten]


def read_head(metadata: Metadata) -> HeadFields:
    """Return the fields of the head, with severity P3 and a reason if none is stated."""
    impact = metadata.other.get("impact", "")
    stated = metadata.get("severity") or (impact if LEVEL.match(without_markup(impact)) else "")
    severity = severity_in(stated)
    written = []
    if stated and (severity is None or without_markup(stated) != severity.value):
        written.append(AsWritten(field="severity", where="head", words=one_line(stated)))
    dates = {}
    for name in DATE_FIELDS:
        text = metadata.own.get(name, "") or metadata.other.get(name, "")
        dates[name] = date_in(text)
        if text and without_markup(text) != dates[name]:
            written.append(AsWritten(field=name, where="head", words=one_line(text)))
    reason = metadata.own.get("severity_reason", "") or ("" if severity else SEVERITY_NOT_STATED)
    free = {name: without_markup(metadata.get(name)) for name in FREE_FIELDS}
    return HeadFields(severity or DEFAULT_SEVERITY, one_line(reason), free, dates, written)
