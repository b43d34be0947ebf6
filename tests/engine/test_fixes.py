"""Edits are made from the last to the first; of two that overlap one waits; the rest of the text stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esper_audit.engine.fixes import apply_edits
from esper_audit.findings.finding import Edit

LINES = st.lists(st.text("ab é漢", max_size=6), min_size=1, max_size=5)


def edit(line: int, column: int, end_column: int, text: str, end_line: int | None = None) -> Edit:
    return Edit(line, column, end_line or line, end_column, text, safe=True, description="")


def test_no_edits_change_nothing() -> None:
    assert apply_edits("a\r\nb", []) == "a\r\nb"


def test_several_edits_on_one_line_are_all_made() -> None:
    assert (
        apply_edits("old old old\n", [edit(1, 1, 4, "n"), edit(1, 9, 12, "newest")])
        == "n old newest\n"
    )


def test_an_edit_can_cross_lines_and_insert_and_delete() -> None:
    assert apply_edits("ab\ncd\nef\n", [edit(1, 2, 2, "X", end_line=2)]) == "aXd\nef\n"
    assert apply_edits("ab\n", [edit(1, 2, 2, "--")]) == "a--b\n"


def test_of_two_that_overlap_the_later_one_waits_whatever_their_order() -> None:
    inner, outer = edit(1, 3, 5, "I"), edit(1, 1, 7, "O")
    assert (
        apply_edits("abcdef\n", [inner, outer]) == "O\n" == apply_edits("abcdef\n", [outer, inner])
    )


def test_of_two_at_one_place_the_same_one_is_made_every_time() -> None:
    edits = [edit(1, 1, 2, letter) for letter in "qwertz"]
    assert {apply_edits("x\n", edits[i:] + edits[:i]) for i in range(6)} == {"e\n"}


def test_the_same_edit_twice_is_made_once() -> None:
    assert apply_edits("ab\n", [edit(1, 2, 2, "-"), edit(1, 2, 2, "-")]) == "a-b\n"


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_the_text_outside_an_edit_stays(lines: list[str], end: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(lines)))
    first = data.draw(st.integers(0, len(lines[number - 1])))
    last = data.draw(st.integers(first, len(lines[number - 1])))
    edited = apply_edits(end.join(lines), [edit(number, first + 1, last + 1, "<>")])
    line = lines[number - 1]
    wanted = [*lines[: number - 1], f"{line[:first]}<>{line[last:]}", *lines[number:]]
    assert edited == end.join(wanted)
