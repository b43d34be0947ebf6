"""Finding statements of status and severity in sections about something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.tickets.markdown_import.document.block_records import BlockKind
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.inline_values import name_set, words
from esper_audit.tickets.markdown_import.document.labelled_values import paragraph_values
from esper_audit.tickets.markdown_import.terms.headings import FormPart, heading_meaning
from esper_audit.tickets.markdown_import.terms.severities import StatedSeverity, severity_in
from esper_audit.tickets.markdown_import.terms.statuses import (
    StatedStatus,
    StatusPlace,
    read_status,
)

STATUS = name_set(
    "status, current status, final status, ticket status, resolution, final disposition"
)
SEVERITY = name_set("severity, priority, revised severity, final severity")
READ_ELSEWHERE = (FormPart.METADATA, FormPart.RESOLUTION, FormPart.REVIEW, FormPart.HISTORY)


def statuses_elsewhere(sections: Sequence[DocumentSection]) -> list[StatedStatus]:
    """Return the statuses of labelled lines."""
    found = [read_status(StatusPlace.ELSEWHERE, value) for _, value in _labelled(sections, STATUS)]
    return [statement for statement in found if statement is not None]


def severities_elsewhere(sections: Sequence[DocumentSection]) -> list[StatedSeverity]:
    """Return the severities of labelled lines."""
    return [
        StatedSeverity(severity, f"'{title}'", value.strip())
        for title, value in _labelled(sections, SEVERITY)
        if (severity := severity_in(value)) is not None
    ]


def _labelled(
    sections: Sequence[DocumentSection], labels: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield the section title and the value of every line of a paragraph with one of the labels."""
    for section in sections:
        meaning = heading_meaning(section.title)
        if meaning is not None and meaning.part in READ_ELSEWHERE:
            continue
        lines = [block for block in section.blocks if block.kind is BlockKind.PARAGRAPH]
        values = [statement for block in lines for statement in paragraph_values(block)]
        for statement in values:
            if words(statement.label) in labels and "\n" not in statement.value:
                yield section.title, statement.value
        yield from _labelled(section.children, labels)
