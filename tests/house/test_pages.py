"""Pages of documentation: links lead somewhere, files that they name exist, the glossary is in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from support.doc_pages import dead_links, missing_code, page, pages, rows
from support.source_files import ROOT


def glossary_errors(text: str) -> Iterator[str]:
    """Yield the words of a glossary that are out of order, or there twice."""
    words = [word for word, meaning in rows(text, 2) if meaning]
    for before, word in pairwise(words):
        if before.lower() >= word.lower():
            yield f"{word} is behind {before}"


def test_every_link_leads_to_a_file() -> None:
    found = [link for path, text in pages().items() for link in dead_links(path, text)]
    assert not found, "\n".join(found)


def test_a_dead_link_is_reported() -> None:
    text = "[a](no.md), [b](docs/tickets.md#states), [c](https://example.org/no.md)\n```\n[d](no.md)\n```\n"
    assert list(dead_links("README.md", text)) == ["README.md: no.md"]


def test_the_page_for_contributors_names_files_that_exist() -> None:
    text = page("CONTRIBUTING.md")
    named = [row for row in rows(text, 2) if "/" in row[0]]
    assert len(named) > 20
    missing = list(missing_code(text, ROOT))
    assert not missing, "\n".join(missing)


def test_the_glossary_is_in_order() -> None:
    text = page("docs/glossary.md")
    assert len(list(rows(text, 2))) > 40
    assert not list(glossary_errors(text))


def test_a_glossary_out_of_order_is_reported() -> None:
    head = "| word | meaning |\n| --- | --- |\n"
    assert list(glossary_errors(f"{head}| b | x |\n| a | y |\n| a | z |\n")) == [
        "a is behind b",
        "a is behind a",
    ]
