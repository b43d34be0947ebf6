"""Budgets of a room: how many there are, what is beside them, what a folder and an `__init__` hold."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from support.source_files import ROOT, SourceFile, offences, package_files, snippet

HOUSE = "esper_audit"
MOST_ROOMS = 16
BESIDE_THE_ROOMS = {"__init__.py", "__main__.py", "subject.py", "py.typed"}
MOST_FILES = 20
MOST_LINES = 2_200
MOST_FILES_ON_A_SHELF = 40
SHELVES = {
    "esper_audit/claims/kinds",
    "esper_audit/cli",
    "esper_audit/cli/ticket",
    "esper_audit/probes/catalogue",
    "esper_audit/reports/formats",
    "esper_audit/rules/tree",
}
FAMILIES_OF_RULES = "esper_audit/rules/file/"
# The package hands out the names that a rule is written with; the command line starts there.
FACES = {"esper_audit/__init__.py", "esper_audit/cli/__init__.py"}
# One checks that torch is installed before anything imports it, one registers its own folder.
INITS_THAT_ACT = {"esper_ref/__init__.py", "esper_ref/blueprints/__init__.py"}


def is_shelf(folder: str) -> bool:
    """Return whether a folder holds files of one shape, which are found by looking into it."""
    return folder in SHELVES or folder.startswith(FAMILIES_OF_RULES)


def crowded_folders(files: Iterable[SourceFile]) -> Iterator[str]:
    """Yield the folders that hold too many files or too many lines, sub-folders not counted."""
    folders: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        if file.path.name != "__init__.py":
            folders[file.folder].append(file)
    for folder, inside in folders.items():
        count = len([file for file in inside if not file.is_case_list])
        lines = sum(len(file.text.splitlines()) for file in inside)
        most = MOST_FILES_ON_A_SHELF if is_shelf(folder) else MOST_FILES
        if count > most:
            yield f"{folder}: {count} Python files (at most {most})"
        if lines > MOST_LINES and not is_shelf(folder):
            yield f"{folder}: {lines} lines (at most {MOST_LINES})"


def strangers(entries: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield what is wrong with the top of the package, given as names with `is_folder`."""
    rooms = [name for name, is_folder in entries if is_folder]
    if len(rooms) > MOST_ROOMS:
        yield f"{len(rooms)} rooms (at most {MOST_ROOMS}): {', '.join(rooms)}"
    for name, is_folder in entries:
        if not is_folder and name not in BESIDE_THE_ROOMS:
            yield f"{name}: is no room and no public face"


def inits_that_act(file: SourceFile) -> Iterator[str]:
    """Yield the statements of a room's `__init__` that are no docstring."""
    if file.path.name != "__init__.py" or file.path.as_posix() in FACES:
        return
    if not ast.get_docstring(file.tree):
        yield file.at(1, "has no docstring")
    for node in file.tree.body[1:]:
        yield file.at(node.lineno, ast.unparse(node).partition("\n")[0])


def busy_inits(file: SourceFile) -> Iterator[str]:
    """Yield the statements of an `__init__` that are neither docstring, import nor `__all__`."""
    if file.path.name != "__init__.py" or file.path.as_posix() in INITS_THAT_ACT:
        return
    for node in file.tree.body[1:]:
        is_table = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        if not (is_table or isinstance(node, ast.Import | ast.ImportFrom)):
            yield file.at(node.lineno, ast.unparse(node).partition("\n")[0])


def test_the_house_has_at_most_16_rooms_and_only_public_faces_beside_them() -> None:
    entries = [
        (entry.name, entry.is_dir())
        for entry in sorted((ROOT / HOUSE).iterdir())
        if entry.name != "__pycache__"
    ]
    assert len(entries) > len(BESIDE_THE_ROOMS)
    found = "\n".join(strangers(entries))
    assert not found, f"put it into a room:\n{found}"


def test_a_seventeenth_room_and_a_file_beside_the_rooms_are_reported() -> None:
    rooms = [(f"room{number}", True) for number in range(17)]
    found = list(strangers([*rooms, ("helpers.py", False), ("py.typed", False)]))
    assert found[0].startswith("17 rooms")
    assert found[1:] == ["helpers.py: is no room and no public face"]


def test_a_folder_has_at_most_20_files_and_2200_lines_and_a_shelf_40_files() -> None:
    found = "\n".join(crowded_folders(package_files(HOUSE)))
    assert not found, f"give the folder sub-folders, each with one job:\n{found}"


def test_each_shelf_is_a_folder_with_files() -> None:
    folders = {file.folder for file in package_files(HOUSE)}
    assert folders >= SHELVES
    assert any(folder.startswith(FAMILIES_OF_RULES) for folder in folders)


def test_a_crowded_folder_and_a_crowded_shelf_are_reported() -> None:
    room = [snippet("", f"esper_audit/room/{letter}.py") for letter in "abcdefghijklmnopqrstu"]
    shelf = [snippet("", f"esper_audit/rules/file/x/r{number}.py") for number in range(41)]
    long = [snippet("x = 1\n" * 1_101, f"esper_audit/long/{letter}.py") for letter in "ab"]
    assert list(crowded_folders([*room, *shelf, *long])) == [
        "esper_audit/room: 21 Python files (at most 20)",
        "esper_audit/rules/file/x: 41 Python files (at most 40)",
        "esper_audit/long: 2202 lines (at most 2200)",
    ]
    init = snippet("x = 1\n" * 3_000, "esper_audit/room/__init__.py")
    assert not list(crowded_folders([*room[:20], init, *shelf[:40]]))


def test_the_init_of_a_room_is_a_docstring_only() -> None:
    found = offences(inits_that_act, package_files(HOUSE))
    assert not found, f"a room's `__init__` imports nothing and does nothing:\n{found}"
    assert {file.path.as_posix() for file in package_files(HOUSE)} >= FACES


def test_an_init_that_imports_is_reported() -> None:
    text = '"""A room."""\n\nfrom __future__ import annotations\n'
    found = offences(inits_that_act, [snippet(text, "esper_audit/room/__init__.py")])
    assert found == "esper_audit/room/__init__.py:3: from __future__ import annotations"
    assert "has no docstring" in offences(
        inits_that_act, [snippet("", "esper_audit/a/__init__.py")]
    )


def test_an_init_of_esper_ref_is_a_table_of_contents() -> None:
    found = offences(busy_inits, package_files("esper_ref"))
    assert not found, f"move it to a file that is named for it:\n{found}"
    assert {file.path.as_posix() for file in package_files("esper_ref")} >= INITS_THAT_ACT


def test_an_init_that_acts_is_reported() -> None:
    text = '"""A package."""\n\nfrom a import b\n\n__all__ = ["b"]\nb()\n'
    found = offences(busy_inits, [snippet(text, "esper_ref/part/__init__.py")])
    assert found == "esper_ref/part/__init__.py:6: b()"
