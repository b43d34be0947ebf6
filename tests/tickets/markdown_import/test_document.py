"""The document keeps every line, with a few exceptions from the grammar of Markdown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_random_forms import FENCES, LINES

from esper_audit.tickets.markdown_import.document.block_records import (
    BlockKind,
    Heading,
    MarkdownBlock,
)
from esper_audit.tickets.markdown_import.document.document import (
    DocumentSection,
    read_document,
    text_of,
)
from esper_audit.tickets.markdown_import.document.parse import parts_of
from esper_audit.tickets.markdown_import.document.tables import read_table

fragments = st.lists(st.one_of(*[st.sampled_from(LINES)] * 4, st.sampled_from(FENCES)), max_size=20)


def blocks_of(text: str) -> list[MarkdownBlock]:
    return [part for part in parts_of(text.split("\n")) if isinstance(part, MarkdownBlock)]


def kinds_of(text: str) -> list[str]:
    return [
        part.kind.value if isinstance(part, MarkdownBlock) else "heading"
        for part in parts_of(text.split("\n"))
    ]


@given(fragments)
def test_every_line_that_is_not_blank_is_in_one_part_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    parts = parts_of(text.split("\n"))
    kept = [
        line
        for part in parts
        for line in (part.lines if isinstance(part, MarkdownBlock) else part.text.split("\n"))
        if line.strip()
    ]
    assert kept == [line for line in text.split("\n") if line.strip()]


@given(fragments)
def test_text_without_headings_is_unchanged(lines: list[str]) -> None:
    text = "\n".join(
        line for line in lines if not line.startswith("#") and line not in ("===", "---", "***")
    )
    blocks = blocks_of(text)
    assert text_of(blocks) == text.strip("\n") or not text.strip()


def test_dashes_below_text_are_a_rule() -> None:
    assert kinds_of("text\n---") == ["paragraph", "rule"]
    assert kinds_of("Title\n-----") == ["heading"]
    assert kinds_of("Title\n=====") == ["heading"]


def test_a_table_ends_where_no_pipe_begins_the_line() -> None:
    assert kinds_of("| a | b |\n|---|---|\n| 1 | 2 |\ntext") == ["table", "paragraph"]


def test_rows_without_a_delimiter_are_a_table() -> None:
    assert kinds_of("text\n| 1 | 2 |\n| 3 | 4 |") == ["paragraph", "table"]
    assert read_table(blocks_of("| 1 | 2 |\n| 3 | 4 |")[0]).rows == (("1", "2"), ("3", "4"))


def test_cells_hold_escaped_pipes_bare_pipes_in_code_and_unclosed_rows() -> None:
    table = read_table(blocks_of("| a | b |\n|---|---|\n| 1 \\| 2 | x\n| `p | q` | y |\n| 3 |")[0])
    assert table.header == ("a", "b")
    assert table.rows == (("1 | 2", "x"), ("`p | q`", "y"), ("3", ""))


def test_a_fence_hides_headings_and_tables() -> None:
    document = read_document("# T\n\n## A\n\n```\n## B\n| a |\n```\n")
    assert [section.title for section in document.sections] == ["A"]


def test_an_unclosed_fence_ends_at_the_next_section() -> None:
    document = read_document("# T\n\n## A\n\n```python\na()\n\n---\n\n## B\n\ntext\n")
    assert [section.title for section in document.sections] == ["A", "B"]
    assert document.sections[0].blocks[0].lines[-1] == "```"


def test_a_comment_hides_what_is_in_it() -> None:
    document = read_document("# T\n\n## A\n\n<!--\n## B\n-->\n\ntext\n")
    assert [section.title for section in document.sections] == ["A"]


def test_the_uppermost_sections_get_level_two() -> None:
    for above in ("#", "##", "###", "####"):
        text = f"# T\n\n{above} A\n\na\n\n{above}# Below\n\nb\n\n{above} B\n\nc\n"
        sections = read_document(text).sections
        assert [(section.title, section.level) for section in sections] == [("A", 2), ("B", 2)]
        assert [child.title for child in sections[0].children] == ["Below"]
        assert sections[0].children[0].level == 3


def test_list_items_have_their_boxes_and_their_text() -> None:
    (block,) = blocks_of("- [x] done (today)\n  and more\n- [ ] not\n- plain\n  - below")
    assert [(item.done, item.text) for item in block.items] == [
        (True, "done (today)\nand more"),
        (False, "not"),
        (None, "plain\n- below"),
    ]
    assert block.kind is BlockKind.LIST
    assert [left.text for left in block.without(block.items[:1])] == [
        "- [ ] not\n- plain\n  - below"
    ]


def test_front_matter_is_separate() -> None:
    document = read_document("---\nid: X-A-1\n---\n\n# T\n")
    assert document.front == ("id: X-A-1",)
    assert document.title == "T"


def test_line_ends_and_byte_order_marks_are_layout() -> None:
    assert read_document("\ufeff# T\r\n\r\ntext\r\n") == read_document("# T\n\ntext\n")


def test_a_section_has_its_source() -> None:
    text = "## A\n\ntext\nmore\n\n### Below\n\n- one\n- two"
    (section,) = read_document(f"# T\n\n{text}\n").sections
    assert isinstance(section, DocumentSection)
    assert section.text == text
    assert all(not isinstance(part, Heading) for part in section.blocks)
