"""The page on moved modules is true, and a reproducer from before the move runs by it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.doc_pages import page, rows
from support.printed_reproducer import CONTRACTS, REPRODUCER, VALVE
from support.source_files import ROOT

PAGE = page("docs/moved-modules.md")
FACES = ("esper_audit", "esper_audit.subject")
IMPORT = re.compile(r"^from (?P<module>esper_audit[\w.]*) import (?P<names>[\w, ]+)$", re.MULTILINE)
OUTPUT = re.compile(r"altered (\S+) prefix (\S+)\ngradient \(20, (\S+)\)")


def moved() -> dict[str, str]:
    """Return the rows of the page, without backticks: names with `esper_audit.`, modules without."""
    found = {before.strip("`"): now.strip("`") for before, now in rows(PAGE, 2)}
    assert len(found) > 250
    return found


def moved_names() -> dict[str, str]:
    return {old: new for old, new in moved().items() if old.startswith("esper_audit.")}


def moved_modules() -> dict[str, str]:
    return {old: new for old, new in moved().items() if not old.startswith("esper_audit.")}


def missing_modules(modules: Mapping[str, str]) -> Iterator[str]:
    """Yield the rows that lead to no module, or to where the module was before."""
    for old, new in modules.items():
        file = (ROOT / "esper_audit").joinpath(*new.split(".")).with_suffix(".py")
        if old == new or not file.is_file():
            yield f"{old} -> {new}"


def with_new_imports(source: str, names: Mapping[str, str]) -> str:
    """Return a file from before the move with its imports, and the names that changed, replaced."""
    renamed: dict[str, str] = {}

    def replaced(line: re.Match[str]) -> str:
        homes: dict[str, list[str]] = defaultdict(list)
        for name in map(str.strip, line["names"].split(",")):
            old = f"{line['module']}.{name}"
            module, _, new = names.get(old, old).rpartition(".")
            homes[module].append(new)
            renamed[name] = new
        return "\n".join(f"from {home} import {', '.join(found)}" for home, found in homes.items())

    source = IMPORT.sub(replaced, source)
    for old, new in renamed.items():
        source = re.sub(rf"(?<![\w.]){old}\b", new, source)
    return source


def test_every_module_of_the_page_is_where_the_page_says() -> None:
    missing = list(missing_modules(moved_modules()))
    assert not missing, "\n".join(missing)
    assert list(missing_modules({"a": "no.such", "engine": "engine.pipeline"})) == ["a -> no.such"]


def test_every_name_of_the_page_is_a_name_of_a_face() -> None:
    assert len(moved_names()) > 30
    for new in moved_names().values():
        face, _, name = new.rpartition(".")
        assert face in FACES
        assert name in dir(importlib.import_module(face))


def test_imports_are_replaced_by_what_the_page_says() -> None:
    old = "from esper_audit.dependency import Sight, later_gradients\nsight = Sight(x.Sight)\n"
    assert with_new_imports(old, moved_names()) == (
        "from esper_audit.subject import SequenceFunction, later_gradients\n"
        "sight = SequenceFunction(x.Sight)\n"
    )


@pytest.mark.parametrize("text", [REPRODUCER, CONTRACTS], ids=["reproducer", "subjects file"])
def test_the_printed_files_name_modules_that_moved(text: str) -> None:
    """Otherwise replacing their imports would prove nothing."""
    assert with_new_imports(text, moved_names()) != text


@pytest.mark.torch
def test_a_reproducer_from_before_the_move_runs_and_prints_the_difference(tmp_path: Path) -> None:
    names = moved_names()
    (tmp_path / "valve.py").write_text(VALVE, encoding="utf-8")
    (tmp_path / "contracts.py").write_text(with_new_imports(CONTRACTS, names), encoding="utf-8")
    (tmp_path / "shown.py").write_text(with_new_imports(REPRODUCER, names), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = ['.', {f'{ROOT}'!r}]; import shown"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = OUTPUT.search(done.stdout)
    assert printed is not None, done.stdout
    altered, prefix, gradient = map(float, printed.groups())
    assert altered == pytest.approx(106, abs=1)  # what the README printed then
    assert min(prefix, gradient) > 0.1
