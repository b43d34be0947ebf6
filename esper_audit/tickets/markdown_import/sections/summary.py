"""The summary: one sentence, and the boxes of the categories; boxes and words of no category stay."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Category
from esper_audit.tickets.markdown_import.document.blocks import BlockKind, MarkdownBlock
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
    """The sentence (empty where there is none), the categories, the words beyond them, the rest."""

    sentence: str
    categories: list[Category]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_summary(sections: Iterable[DocumentSection]) -> Summary:
    """Read the sections of summaries; an unlabelled paragraph is the sentence where no label says so."""
    reader = _SummaryReader()
    for section in sections:
        for block in section.blocks:
            reader.read(block)
        reader.below += section.children
    return reader.summary()


class _SummaryReader:
    """Goes through the blocks; `_expects` says that a label announced the list that comes next."""

    def __init__(self) -> None:
        self.below: list[DocumentSection] = []
        self._sentence = ""
        self._categories: list[Category] = []
        self._written: list[AsWritten] = []
        self._texts: list[str] = []
        self._rest: list[MarkdownBlock] = []
        self._expects = False

    def read(self, block: MarkdownBlock) -> None:
        """Take what a block says; what finds no place is kept."""
        if block.kind is BlockKind.LIST and (self._expects or has_boxes(block)):
            self._expects = False
            found, beyond, taken = ticked_categories(block.items)
            self._categories += found
            self._written += beyond
            self._rest += block.without(taken)
            return
        said = paragraph_values(block) if block.kind is BlockKind.PARAGRAPH else []
        labels = [words(statement.label) for statement in said]
        if not any(label in (*SUMMARY_LABELS, *CATEGORY_LABELS) for label in labels):
            self._rest.append(block)
            return
        for statement in said:
            self._statement(statement)
        self._expects = labels[-1] in CATEGORY_LABELS

    def summary(self) -> Summary:
        """Return what came together."""
        plain = [b for b in self._rest if b.kind is BlockKind.PARAGRAPH and not _is_labelled(b)]
        if not self._sentence and plain:
            self._sentence = plain[0].text.strip()
            self._rest.remove(plain[0])
        text = "\n\n".join(filter(None, [*self._texts, text_of(self._rest)]))
        extra = [
            *unmapped_text(FormPart.SUMMARY, text),
            *unmapped_sections(FormPart.SUMMARY, self.below),
        ]
        return Summary(self._sentence, in_form_order(self._categories), self._written, extra)

    def _statement(self, statement: LabelledValue) -> None:
        label, value = words(statement.label), statement.value.strip()
        if label in SUMMARY_LABELS and not self._sentence and value:
            self._sentence = value
        elif label in CATEGORY_LABELS:
            self._categories += categories_in(value)
            self._written += [category_words(value)] if value and value[0] != "(" else []
        else:
            self._texts.append(statement.source)


def _is_labelled(block: MarkdownBlock) -> bool:
    return any(statement.label for statement in [*paragraph_values(block), *list_values(block)])
