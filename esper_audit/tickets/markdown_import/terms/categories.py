"""Recognising the twelve categories of the form in boxes, lists and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from esper_audit.findings.finding import Category
from esper_audit.tickets.form import CATEGORY_NAMES
from esper_audit.tickets.markdown_import.document.block_records import ListItem, MarkdownBlock
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.parts import AsWritten

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
BY_WORDS = by_name(SHORT_NAMES) | {
    words(name): category
    for category, full in CATEGORY_NAMES.items()
    for name in (full, category.value)
}


def categories_in(text: str) -> list[Category]:
    """Return the categories in a value, separated by commas, slashes or semicolons."""
    single = category_of(text)
    parts = re.split(r"[,;/+&]|\band\b", text)
    found = [single] if single else [category_of(part) for part in parts]
    return [category for category in found if category is not None]


def category_of(text: str) -> Category | None:
    """Return the category with whose name a text begins, None without one."""
    text_words = words(without_markup(text))
    known = [name for name in BY_WORDS if f"{text_words} ".startswith(f"{name} ")]
    return BY_WORDS[max(known, key=len)] if known else None


def ticked_categories(
    items: Sequence[ListItem],
) -> tuple[list[Category], list[AsWritten], list[ListItem]]:
    """Return the ticked categories, the original words where they differ, and the items that were read.

    In a list without boxes every item counts as ticked. In a list with boxes an item without a box is
    not a category.
    """
    boxed = any(item.done is not None for item in items)
    categories: list[Category] = []
    as_written: list[AsWritten] = []
    read: list[ListItem] = []
    for item in items:
        category = category_of(item.text)
        if category is None or "\n" in item.text or (boxed and item.done is None):
            continue
        read.append(item)
        if item.done or not boxed:
            categories.append(category)
        if words(without_markup(item.text)) != words(CATEGORY_NAMES[category]):
            mark = "[x] " if item.done else "[ ] " if item.done is not None else ""
            as_written.append(category_words(mark + item.text))
    return categories, as_written, read


def has_boxes(block: MarkdownBlock) -> bool:
    """Return whether an item of a list has a box and the name of a category."""
    return any(item.done is not None and category_of(item.text) for item in block.items)


def category_words(text: str) -> AsWritten:
    """Return the original words of a category."""
    return AsWritten(field="categories", where="Category", words=one_line(text))


def in_form_order(categories: Iterable[Category]) -> list[Category]:
    """Return categories in the form's order, each once."""
    unique = set(categories)
    return [category for category in Category if category in unique]
