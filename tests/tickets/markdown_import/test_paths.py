"""Paths of another machine are found in this tree by their tail, or by configured prefixes."""

from __future__ import annotations

import pytest
from support.markdown_forms import assert_stays, form

from esper_audit.tickets.importing.file_kinds import read_tickets
from esper_audit.tickets.markdown_import.terms.paths import PathMap, path_map
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin

FILES = [
    "src/garden/valve.py",
    "src/pump/valve.py",
    "tank.py",
    "src/garden/__init__.py",
    "lib/__init__.py",
]
TREE = path_map(FILES, {"src/esper/kasmina": "src/garden", "/home/bob/old": "."})


@pytest.mark.parametrize(
    ("written", "here"),
    [
        ("/home/ada/repo/src/garden/valve.py", "src/garden/valve.py"),
        ("garden/valve.py", "src/garden/valve.py"),
        ("C:\\work\\src\\pump\\valve.py", "src/pump/valve.py"),
        ("anywhere/tank.py", "tank.py"),
        ("tank.py", "tank.py"),
        ("/home/ada/src/esper/kasmina/valve.py", "src/garden/valve.py"),
        ("src/esper/kasmina/valve.py", "src/garden/valve.py"),
        ("/home/bob/old/tank.py", "tank.py"),
    ],
)
def test_a_path_is_found_in_the_tree(written: str, here: str) -> None:
    assert TREE.here(written) == here


@pytest.mark.parametrize(
    "written", ["valve.py", "else/__init__.py", "src/nowhere.py", "docs/", "multiple"]
)
def test_a_path_that_several_files_or_none_could_be_stays_as_written(written: str) -> None:
    assert TREE.here(written) == written


def test_a_prefix_that_leads_nowhere_gives_way_to_the_tail() -> None:
    tree = path_map(FILES, {"src/esper": "nowhere"})
    assert tree.here("src/esper/pump/valve.py") == "src/pump/valve.py"


def test_the_words_of_a_mapped_path_are_kept() -> None:
    (found,) = read_tickets(form(), DocumentOrigin("Q7-NET-04.md"), TREE)
    assert found.ticket.locations[0].path == "src/garden/valve.py"
    words = [word.words for word in found.ticket.as_written if word.field == "files"]
    assert words == ["`/home/ada/garden/src/garden/valve.py`"]
    assert_stays_in_tree(TREE)


def assert_stays_in_tree(tree: PathMap) -> None:
    from support.markdown_forms import page_of, yaml_of

    (first,) = read_tickets(form(), DocumentOrigin("Q7-NET-04.md"), tree)
    (again,) = read_tickets(page_of(first.ticket), DocumentOrigin("Q7-NET-04.md"), tree)
    assert yaml_of(again.ticket) == yaml_of(first.ticket)


def test_without_a_tree_paths_stay() -> None:
    (found,) = read_tickets(form(), DocumentOrigin("Q7-NET-04.md"), PathMap())
    assert found.ticket.locations[0].path == "/home/ada/garden/src/garden/valve.py"
    assert_stays(found.ticket)
