"""The lines of definitions: those that `inspect` gives, without parsing the file for each class."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from esper_audit.probes.subject.definition_lines import definition_lines

SOURCE = '''
import functools
import sys

def marked(kind):
    return kind

@marked
@functools.total_ordering
class Decorated:
    def __lt__(self, other):
        return True

    class Inner:
        """A class in a class."""

        class Innermost: pass

def make():
    class Local:
        value = 1
    return Local

if sys.version_info > (4,):
    class Twice:
        first = 1
else:
    class Twice:
        second = 2
        third = 3

try:
    class Tried:
        x = [lambda: 1,
             2]
finally:
    pass

@functools.cache
def wrapped():
    return 1
'''


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "defining_lines.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    yield found
    del sys.modules[path.stem]


def things_of(module: Any) -> list[Any]:
    inner = module.Decorated.Inner
    kinds = [module.Decorated, inner, inner.Innermost, module.make(), module.Twice, module.Tried]
    return [*kinds, module.make, inspect.unwrap(module.wrapped)]


def test_they_are_those_of_inspect(module: ModuleType) -> None:
    for thing in things_of(module):
        lines, first = inspect.getsourcelines(thing)
        expected = (module.__file__, first, first + len(lines) - 1)
        assert definition_lines(thing) == expected, thing


def test_a_file_is_parsed_once(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []
    parse = ast.parse

    def counted(text: bytes) -> ast.Module:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(ast, "parse", counted)
    for kind in (module.Decorated, module.Tried, module.make(), module.Decorated.Inner):
        definition_lines(kind)
    assert len(parsed) == 1


@pytest.mark.parametrize("thing", [int, str, type("Made", (), {})])
def test_without_source_it_raises(thing: Any) -> None:
    with pytest.raises((OSError, TypeError)):
        definition_lines(thing)
