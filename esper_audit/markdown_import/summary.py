"""The summary: one sentence, and the boxes of the categories; boxes and words of no category stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.finding import Category
from esper_audit.markdown_import.blocks import Block, Item, Kind
from esper_audit.markdown_import.document import Section, text_of
from esper_audit.markdown_import.headings import Part
from esper_audit.markdown_import.statements import in_list, in_paragraph
from esper_audit.markdown_import.values import bare, one_line, words
from esper_audit.ticket_page import CATEGORY_NAMES
from esper_audit.ticket_parts import AsWritten, Extra

SECTION = Part.SUMMARY.value
SUMMARY_LABELS = ("one line summary", "one line", "summary", "one liner", "tl dr", "tldr")
CATEGORY_LABELS = ("category", "categories", "type")
SHORT_NAMES = {
    Category.CORRECTNESS: "correctness, bug, logic error",
    Category.RACE_CONDITION: "race condition, race, concurrency",
    Category.MEMORY_RESOURCE: "memory leak, memory, resource issue, resource leak, resource",
    Category.PERFORMANCE: "performance",
    Category.NUMERICAL_STABILITY: "numerical stability, numerical, numerics",
    Category.TORCH_COMPILE: "torch compile, torch compile compatibility, compile",
    Category.DEAD_CODE: "dead code, unwired functionality, unwired",
    Category.API_CONTRACT: "api design, api, contract violation, contract",
    Category.TEST_COVERAGE: "test coverage, tests, testing, test gap",
    Category.DOCUMENTATION: "documentation, docs, naming",
    Category.DEFENSIVE_PROGRAMMING: "defensive programming",
    Category.LEGACY_POLICY: "legacy code, legacy, legacy policy",
}
BY_WORDS = {
    words(name): category
    for category, full in CATEGORY_NAMES.items()
    for name in (full, category.value, *SHORT_NAMES[category].split(", "))
}


class Summary(msgspec.Struct, frozen=True):
    """The sentence (empty where there is none), the categories, the words beyond them, the rest."""

    sentence: str
    categories: list[Category]
    as_written: list[AsWritten]
    extra: list[Extra]


def read_summary(sections: Iterable[Section]) -> Summary:
    """Read the sections of summaries; an unlabelled paragraph is the sentence where no label says so."""
    sentence = ""
    categories: list[Category] = []
    written: list[AsWritten] = []
    rest: list[Block] = []
    texts: list[str] = []
    extra: list[Extra] = []
    for section in sections:
        expects = False
        for block in section.blocks:
            if block.kind is Kind.LIST and (expects or _are_categories(block)):
                expects = False
                found, beyond, taken = _boxes(block.items)
                categories += found
                written += beyond
                rest += block.without(taken)
                continue
            if block.kind is Kind.PARAGRAPH:
                said = _Labels(block)
                if said.is_known:
                    sentence, categories = said.into(sentence, categories, written, texts)
                    expects = said.announces
                    continue
            rest.append(block)
        extra += [
            Extra(section=SECTION, heading=child.title, text=text_of(child.nodes))
            for child in section.children
        ]
    plain = next((b for b in rest if b.kind is Kind.PARAGRAPH and not _is_labelled(b)), None)
    if not sentence and plain is not None:
        sentence = plain.text.strip()
        rest.remove(plain)
    text = "\n\n".join(filter(None, [*texts, text_of(rest)]))
    extra = [*([Extra(section=SECTION, text=text)] if text else []), *extra]
    return Summary(sentence, _in_order(categories), written, extra)


def categories_in(text: str) -> list[Category]:
    """Return the categories that a value names, separated by commas, slashes or semicolons."""
    whole = category_of(text)
    parts = re.split(r"[,;/+&]|\band\b", text)
    found = [whole] if whole else [category_of(part) for part in parts]
    return [category for category in found if category is not None]


def category_of(text: str) -> Category | None:
    """Return the category whose name a text is, or begins with."""
    said = words(bare(text))
    names = [name for name in BY_WORDS if said == name or said.startswith(f"{name} ")]
    return BY_WORDS[max(names, key=len)] if names else None


class _Labels:
    """What the labelled lines of a paragraph say."""

    def __init__(self, block: Block) -> None:
        self._found = in_paragraph(block)
        known = {*SUMMARY_LABELS, *CATEGORY_LABELS}
        labels = [words(statement.label) for statement in self._found]
        self.is_known = any(label in known for label in labels)
        self.announces = bool(labels) and labels[-1] in CATEGORY_LABELS

    def into(
        self,
        sentence: str,
        categories: list[Category],
        written: list[AsWritten],
        texts: list[str],
    ) -> tuple[str, list[Category]]:
        """Add what is said to what is known; what finds no place goes to `texts`."""
        for statement in self._found:
            label, value = words(statement.label), statement.value.strip()
            if label in SUMMARY_LABELS and not sentence and value:
                sentence = value
            elif label in CATEGORY_LABELS:
                named = categories_in(value)
                categories = [*categories, *named]
                if value and not value.startswith("("):
                    written.append(_word("Category", value))
            else:
                texts.append(statement.source)
        return sentence, categories


def _boxes(items: Sequence[Item]) -> tuple[list[Category], list[AsWritten], list[Item]]:
    """Return the categories ticked, the words of boxes that say more than a category, and these items.

    In a list without boxes every item counts; among boxes one without is no category.
    """
    boxed = any(item.done is not None for item in items)
    categories: list[Category] = []
    written: list[AsWritten] = []
    taken: list[Item] = []
    for item in items:
        category = category_of(item.text)
        if category is None or "\n" in item.text or (boxed and item.done is None):
            continue
        taken.append(item)
        if item.done or not boxed:
            categories.append(category)
        if words(bare(item.text)) != words(CATEGORY_NAMES[category]):
            mark = "[x] " if item.done else "[ ] " if item.done is not None else ""
            written.append(_word("Category", mark + item.text))
    return categories, written, taken


def _are_categories(block: Block) -> bool:
    return any(item.done is not None and category_of(item.text) for item in block.items)


def _is_labelled(block: Block) -> bool:
    return any(statement.label for statement in [*in_paragraph(block), *in_list(block)])


def _in_order(categories: Iterable[Category]) -> list[Category]:
    held = set(categories)
    return [category for category in Category if category in held]


def _word(where: str, text: str) -> AsWritten:
    return AsWritten(field="categories", where=where, words=one_line(text))
