"""The page on architecture is true: its rooms, floors and sentences, its picture, its names."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping

import pytest
from support.doc_pages import missing_code, page, rows
from support.source_files import ROOT, SourceFile, package_files

PAGE = page("docs/architecture.md")
HOUSE = ROOT / "esper_audit"
FACES = {"__main__", "subject"}
MOST_LINES = 110
EDGE = re.compile(r"^\s*(\w+) --> (\w+)$", re.MULTILINE)


def floors() -> dict[str, int]:
    """Return the floor of each room by the layers of import-linter, the lowest 1."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = configuration["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["id"] == "audit-floors")
    return {
        room.strip(): floor
        for floor, layer in enumerate(reversed(layers), 1)
        for room in layer.split(":")
        if room.strip() not in FACES
    }


def sentences() -> dict[str, str]:
    """Return the first line of the `__init__` of each room."""
    inits = {p.parent.name: p.read_text(encoding="utf-8") for p in HOUSE.glob("*/__init__.py")}
    return {
        room: (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        for room, text in inits.items()
    }


def table_errors(
    page_text: str, floor_of: Mapping[str, int], sentence_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the rows that the table of rooms has to have and has not, or has and should not."""
    found = [row for row in rows(page_text, 3) if row[0].isdigit()]
    expected = {
        (f"{floor_of.get(room, 0)}", f"`{room}/`", sentence)
        for room, sentence in sentence_of.items()
    }
    for row in sorted(expected - set(found)):
        yield f"missing: | {' | '.join(row)} |"
    for row in found:
        if row not in expected or found.count(row) > 1:
            yield f"not so: | {' | '.join(row)} |"


def imports(file: SourceFile) -> Iterator[tuple[str, str]]:
    """Yield each import of one room from another."""
    room = file.path.parts[1]
    for node in file.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("esper_audit."):
            target = str(node.module).split(".")[1]
            if target != room:
                yield room, target


def needed_arrows(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows without those that a longer way replaces."""

    def reached(start: str, leaving_out: str) -> set[str]:
        found: set[str] = set()
        ahead = [to for one, to in arrows if one == start and to != leaving_out]
        while ahead:
            room = ahead.pop()
            if room not in found:
                found.add(room)
                ahead += [to for one, to in arrows if one == room]
        return found

    return {(one, to) for one, to in arrows if to not in reached(one, to)}


def test_the_table_names_every_room_once_with_its_floor_and_its_sentence() -> None:
    assert set(sentences()) == set(floors())
    errors = list(table_errors(PAGE, floors(), sentences()))
    assert not errors, "\n".join(errors)


@pytest.mark.parametrize(
    "table",
    [
        "",
        "| 1 | `a/` | Does a. |\n| 2 | `b/` | Does b. |\n| 2 | `b/` | Does b. |",
        "| 1 | `a/` | Does a. |\n| 1 | `b/` | Does b. |",
        "| 1 | `a/` | Does a. |\n| 2 | `b/` | Does something else. |",
        "| 1 | `a/` | Does a. |\n| 2 | `b/` | Does b. |\n| 3 | `c/` | Is gone. |",
    ],
    ids=["no table", "a room twice", "a wrong floor", "another sentence", "no such room"],
)
def test_a_wrong_table_is_reported(table: str) -> None:
    head = "| floor | room | one job |\n| --- | --- | --- |\n"
    rooms = {"a": "Does a.", "b": "Does b."}
    assert list(table_errors(f"{head}{table}\n", {"a": 1, "b": 2}, rooms))
    right = "| 1 | `a/` | Does a. |\n| 2 | `b/` | Does b. |\n"
    assert not list(table_errors(head + right, {"a": 1, "b": 2}, rooms))


def test_the_picture_shows_the_imports_between_the_rooms() -> None:
    rooms = set(floors())
    arrows = {pair for file in package_files("esper_audit") for pair in imports(file)}
    between = {(one, to) for one, to in arrows if {one, to} <= rooms}
    drawn = EDGE.findall(PAGE)
    assert sorted(drawn) == sorted(needed_arrows(between))
    assert {room for arrow in drawn for room in arrow} == rooms


def test_an_arrow_that_a_longer_way_replaces_is_not_needed() -> None:
    assert needed_arrows({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def test_every_folder_file_and_function_that_the_page_names_is_there() -> None:
    missing = list(missing_code(PAGE, HOUSE))
    assert not missing, "\n".join(missing)


def test_a_name_that_is_not_there_is_reported() -> None:
    text = (
        "`engine/`, `engine/pipeline.py`, `engine/pipeline.check`, `rules/rule.Rule.check`, "
        "`rules/file/<family>`, `cli/ticket`, `no/`, `engine/no.py`, `engine/pipeline.no`, "
        "`rules/rule.Rule.no`"
    )
    missing = ["no/", "engine/no.py", "engine/pipeline.no", "rules/rule.Rule.no"]
    assert list(missing_code(text, HOUSE)) == missing


def test_the_page_is_one_page() -> None:
    assert len(PAGE.splitlines()) <= MOST_LINES
