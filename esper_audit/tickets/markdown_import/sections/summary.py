"""Reading the summary: one sentence, and the boxes of the categories."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Category
from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import words
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    list_values,
    paragraph_values,
)
from esper_audit.tickets.markdown_import.sections.unmapped_text import (
    unmapped_sections,
    unmapped_text,
)
from esper_audit.tickets.markdown_import.terms.categories import (
    categories_in,
    category_words,
    has_boxes,
    in_form_order,
    ticked_categories,
)
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.parts import AsWritten, Extra

SUMMARY_LABELS = ("one line summary", "one line", "summary", "one liner", "tl dr", "tldr")
CATEGORY_LABELS = ("category", "categories", "type")


class Summary(msgspec.Struct, frozen=True):
    """The sentence (empty without one), the categories, their original words, and all other text."""

    sentence: str
    categories: list[Category]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_summary(sections: Iterable[DocumentSection]) -> Summary:
    """Read the sections of the summary, whose first paragraph is the sentence if no label is."""
    reader = _SummaryReader()
    for section in sections:
        for block in section.blocks:
            reader.read(block)
        reader.below += section.children
    return reader.summary()


class _SummaryReader:
    """Reads the blocks of a summary.

    `_expects_categories` is true after a label that announces the categories.
    """

    def __init__(self) -> None:
        self.below: list[DocumentSection] = []
        self._sentence = ""
        self._categories: list[Category] = []
        self._as_written: list[AsWritten] = []
        self._texts: list[str] = []
        self._rest: list[MarkdownBlock] = []
        self._expects_categories = False

    def read(self, block: MarkdownBlock) -> None:
        """Read a block and keep the text without field."""
        if block.kind is BlockKind.LIST and (self._expects_categories or has_boxes(block)):
            self._expects_categories = False
            found, original, read = ticked_categories(block.items)
            self._categories += found
            self._as_written += original
            self._rest += block.without(read)
            return
        values = paragraph_values(block) if block.kind is BlockKind.PARAGRAPH else []
        labels = [words(statement.label) for statement in values]
        if not any(label in (*SUMMARY_LABELS, *CATEGORY_LABELS) for label in labels):
            self._rest.append(block)
            return
        for statement in values:
            self._read_statement(statement)
        self._expects_categories = labels[-1] in CATEGORY_LABELS

    def summary(self) -> Summary:
        """Return the summary that was read."""
        plain = [b for b in self._rest if b.kind is BlockKind.PARAGRAPH and not _is_labelled(b)]
        if not self._sentence and plain:
            self._sentence = plain[0].text.strip()
            self._rest.remove(plain[0])
        text = "\n\n".join(filter(None, [*self._texts, text_of(self._rest)]))
        extra = [
            *unmapped_text(FormPart.SUMMARY, text),
            *unmapped_sections(FormPart.SUMMARY, self.below),
        ]
        return Summary(self._sentence, in_form_order(self._categories), self._as_written, extra)

    def _read_statement(self, statement: LabelledValue) -> None:
        label, value = words(statement.label), statement.value.strip()
        if label in SUMMARY_LABELS and not self._sentence and value:
            self._sentence = value
        elif label in CATEGORY_LABELS:
            self._categories += categories_in(value)
            self._as_written += [category_words(value)] if value and value[0] != "(" else []
        else:
            self._texts.append(statement.source)


def _is_labelled(block: MarkdownBlock) -> bool:
    return any(statement.label for statement in [*paragraph_values(block), *list_values(block)])
