"""Names of files and classes: no name needs explaining, no class name occurs twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from support.source_files import PACKAGES, SourceFile, offences, package_files, snippet

EMPTY_NAMES = {"utils", "util", "misc", "common", "helpers", "helper", "base"}
# Names that this project once used; each needed an explanation that the field's noun does not need.
NAMES_THAT_NEED_EXPLAINING = {
    "agreement",
    "analyst",
    "asking",
    "audits",
    "bookkeeping",
    "books",
    "class_family",
    "confirm",
    "confirmation",
    "desk",
    "endings",
    "evidence",
    "handed_out",
    "handwriting",
    "inquiry",
    "ledger",
    "lent_signatures",
    "likeness",
    "likening",
    "makings",
    "outside",
    "present",
    "recollection",
    "removal",
    "said_unused",
    "sieve",
    "sighting",
    "told",
    "whole_objects",
    "wiring",
    "written",
    "written_alike",
}


def empty_file_names(file: SourceFile) -> Iterator[str]:
    if file.path.stem in EMPTY_NAMES:
        yield f"{file.path}: the name does not tell the file's job"


def unexplained_file_names(file: SourceFile) -> Iterator[str]:
    if file.path.stem in NAMES_THAT_NEED_EXPLAINING:
        yield f"{file.path}: the name needs explaining"


def repeated_classes(files: Iterable[SourceFile]) -> Iterator[str]:
    """Yield each name that two top-level classes of one package have."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in files:
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef):
                places[file.path.parts[0], node.name].append(f"{file.path}:{node.lineno}")
    for (_, name), found in places.items():
        if len(found) > 1:
            yield f"{name}: {', '.join(found)}"


def test_a_file_is_named_for_what_it_knows() -> None:
    found = offences(empty_file_names, package_files())
    assert not found, f"name the file for its job:\n{found}"


def test_no_file_has_a_name_that_needs_explaining() -> None:
    found = offences(unexplained_file_names, package_files("esper_audit"))
    assert not found, f"name the file with the field's noun:\n{found}"


def test_a_file_named_utils_and_a_file_named_sieve_are_reported() -> None:
    assert offences(empty_file_names, [snippet("", "esper_ref/utils.py")])
    assert offences(unexplained_file_names, [snippet("", "esper_audit/engine/sieve.py")])
    assert not offences(empty_file_names, [snippet("", "esper_audit/engine/prefilter.py")])
    assert not offences(unexplained_file_names, [snippet("", "esper_audit/engine/prefilter.py")])


def test_no_class_name_occurs_twice_in_a_package() -> None:
    found = "\n".join(repeated_classes(package_files()))
    assert not found, f"one idea is one class, two ideas have two names:\n{found}"


def test_a_class_name_in_two_files_of_a_package_is_reported() -> None:
    text = "class Answer: ...\nclass Other:\n    class Answer: ...\n"
    one, two = snippet(text, "esper_audit/a.py"), snippet(text, "esper_audit/b/c.py")
    found = list(repeated_classes([one, two]))
    assert found[0] == "Answer: esper_audit/a.py:1, esper_audit/b/c.py:1"
    assert len(found) == 2
    assert not list(repeated_classes([one, snippet(text, f"{PACKAGES[1]}/a.py")]))
