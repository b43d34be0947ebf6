"""Status and severity said again, in labelled lines of sections that are not about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.tickets.markdown_import.document.blocks import Kind
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import names, words
from esper_audit.tickets.markdown_import.document.labelled_values import in_paragraph
from esper_audit.tickets.markdown_import.terms.headings import Part, name_of
from esper_audit.tickets.markdown_import.terms.severities import StatedSeverity, severity_in
from esper_audit.tickets.markdown_import.terms.statuses import StatedStatus, StatusPlace, stated

STATUS = names("status, current status, final status, ticket status, resolution, final disposition")
SEVERITY = names("severity, priority, revised severity, final severity")
READ_ELSEWHERE = (Part.METADATA, Part.RESOLUTION, Part.REVIEW, Part.HISTORY)


def statuses_elsewhere(sections: Sequence[DocumentSection]) -> list[StatedStatus]:
    """Return what labelled lines say about the status."""
    found = [stated(StatusPlace.ELSEWHERE, value) for _, value in _labelled(sections, STATUS)]
    return [statement for statement in found if statement is not None]


def severities_elsewhere(sections: Sequence[DocumentSection]) -> list[StatedSeverity]:
    """Return what labelled lines say about the severity."""
    return [
        StatedSeverity(severity, f"'{title}'", value.strip())
        for title, value in _labelled(sections, SEVERITY)
        if (severity := severity_in(value)) is not None
    ]


def _labelled(
    sections: Sequence[DocumentSection], labels: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield the section and the value of every paragraph's line with one of some labels."""
    for section in sections:
        name = name_of(section.title)
        if name is not None and name.part in READ_ELSEWHERE:
            continue
        lines = [block for block in section.blocks if block.kind is Kind.PARAGRAPH]
        said = [statement for block in lines for statement in in_paragraph(block)]
        for statement in said:
            if words(statement.label) in labels and "\n" not in statement.value:
                yield section.title, statement.value
        yield from _labelled(section.children, labels)
