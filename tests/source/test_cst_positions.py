"""Positions agree with LibCST's own provider on every node, without its cost."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from support.real_source import library_modules, own_modules

from esper_audit.source.syntax.cst_positions import PositionRecorder

# Slow: LibCST computes the positions of every node of many real files.
pytestmark = pytest.mark.slow

FILES = [*own_modules()[::6], *library_modules(6)]
PIECES = {
    "nothing": "",
    "no newline at the end": "x = 1",
    "blank lines and comments": "\n# a\n\nx = 1  # b\n\n\n# c\n",
    "a string over lines": 'x = """a\nb\n"""; y = 2\n',
    "tabs": "def f():\n\tif x:\n\t\treturn (\n1\n\t\t)\n",
    "decorators": "@a\n# between\n@b(\n    1\n)\nasync def f(): pass\n",
    "a backslash": "x = 1 + \\\n    2\n",
    "elif and else": "if a:\n    pass\nelif b: pass\nelse:\n    pass\n",
    "a match": "match x:\n    case [a, *_] if a: pass\n    case {'k': 1, **r}: pass\n    case A(b=1) | 2: pass\n",
    "try": "try:\n    pass\nexcept (A, B) as e:\n    pass\nelse: pass\nfinally:\n    pass\n",
    "calls and slices": "f(a, *b, c=1, **d)[1:2, ..., ::3].g()(lambda x, /, y=1, *, z: x)\n",
    "parentheses": "((( a )), ( b , ), [ c ], { d : e , **f }, { g })\n",
    "wide characters": "é = 'ü' + 'ß' ; 漢 = '字'\n",
    "an f-string": "f'{a!r:>{b}} {c}' 'd'\n",
    "comprehensions": "[a for b in c if d async for e in f]\n",
}


def assert_positions_agree(text: str) -> None:
    module = cst.parse_module(text)
    theirs = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    recorder = PositionRecorder(module)
    ours = {node: recorder.span(node) for node in theirs}
    assert len(ours) > 0
    for node, at in theirs.items():
        wanted = (at.start.line, at.start.column, at.end.line, at.end.column)
        assert tuple(ours[node]) == wanted, type(node).__name__


@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_positions_agree_on_every_node_of_a_piece(text: str) -> None:
    assert_positions_agree(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_positions_agree_on_every_node_of_a_real_file(file: Path) -> None:
    assert_positions_agree(file.read_text(encoding="utf-8"))


def test_an_offset_moves_lines_and_nothing_else() -> None:
    module = cst.parse_module("x = 1\n")
    recorder = PositionRecorder(module)
    here, there = recorder.span(module.body[0]), recorder.span(module.body[0], 7)
    assert (there.line, there.end_line) == (here.line + 7, here.end_line + 7)
    assert (there.column, there.end_column) == (here.column, here.end_column)
