"""The definitions around a place, found by bisection, are those of the chain of statements around it."""

from __future__ import annotations

import ast

import pytest
from support.real_source import library_modules, own_modules

from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import definitions_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.source import Source, parse

PIECES = {
    "decorators": "@a(lambda: b)\n@c\nclass D(e):\n    @f\n    def g(self, h=i): return j; k\nl\n",
    "one line": "class A: b = 1; c = 2\ndef d(): pass\n",
    "nested": "def a():\n    if b:\n        def c():\n            class D:\n                e\n        f\n    g\nh\n",
    "after the end": "if a:\n    def b():\n        c\n\n\n    d\ne\n",
}


def differences(text: bytes, name: str) -> list[str]:
    source = parse(name, text)
    assert isinstance(source, Source)
    file = FileView(source)
    return [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for node in walk(source.tree)
        if isinstance(node, ast.expr | ast.stmt | ast.excepthandler)
        if file.definitions(node)
        != [scope for scope in definitions_in(file.enclosing(node)) if scope is not node]
    ]


@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_definitions_agree_with_the_chain_on_a_hard_piece(text: str) -> None:
    assert differences(text.encode(), "a.py") == []


def test_definitions_agree_with_the_chain_on_real_files() -> None:
    for file in [*own_modules()[::4], *library_modules(20)]:
        assert differences(file.read_bytes(), file.name) == []
