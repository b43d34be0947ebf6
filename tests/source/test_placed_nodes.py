"""What is found by place in a statement is what a walk of it finds: nodes, bound names, conditionals."""

from __future__ import annotations

import ast

import pytest
from support.real_source import library_modules, own_modules

from esper_audit.source.idioms.branches.bound_names import BINDERS, BoundNames, names_bound_by
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.source import Source, parse

KINDS = (ast.Call, ast.Attribute, ast.IfExp, ast.Assign, ast.FunctionDef)
PIECES = {
    "decorators": "@a(b.c if d else e)\n@f()\ndef g(h=i()):\n    j = k\nl = m()\n",
    "one line": "def a(): b = 1; c = d()\ndef e(): return f()\n",
    "several lines of text": 'def a():\n    return f"""{b if c else d}\n{e()} {\n f.g}"""\nh = i()\n',
    "bound names": "def a(b):\n    global c\n    with d() as (e, f), g[h := i]:\n        import j.k as l, m.n\n"
    "    match o:\n        case {'p': q, **r} | [*s] if t:\n            del u\n    try:\n        v\n"
    "    except w as x:\n        y: int = z if b else c\n    return f'{b if c else d}'\n",
}


def source_of(text: bytes, name: str) -> Source:
    source = parse(name, text)
    assert isinstance(source, Source)
    return source


def differences(source: Source) -> list[str]:
    file = FileView(source)
    statements = [node for node in walk(source.tree) if isinstance(node, ast.stmt)]
    found = [
        f"{source.path}:{statement.lineno}: {kind.__name__}"
        for statement in statements
        for kind in KINDS
        if set(file.inside(statement, kind)) != set(scan(statement, {kind}))
    ]
    functions = [node for node in statements if isinstance(node, Function)]
    return found + [wrong for function in functions for wrong in wrong_names(function)]


def wrong_names(function: Function) -> list[str]:
    bound = BoundNames(function)
    parts = [n for n in walk(function) if isinstance(n, ast.stmt | ast.withitem)]
    parts = [part for part in parts if part is not function]
    found = [
        f"{function.name}: {ast.unparse(part)}"
        for part in parts
        if bound.inside(part) != {n for node in scan(part, BINDERS) for n in names_bound_by(node)}
    ]
    return found + [
        f"{function.name}: {ast.unparse(part)}"
        for part in parts
        if isinstance(part, ast.stmt)
        if bound.has_conditional(part) != bool(scan(part, {ast.IfExp}))
    ]


@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_what_is_found_by_place_agrees_with_a_walk_on_a_hard_piece(text: str) -> None:
    assert differences(source_of(text.encode(), "a.py")) == []


def test_what_is_found_by_place_agrees_with_a_walk_on_real_code() -> None:
    sources = [
        source_of(f.read_bytes(), f.name) for f in [*own_modules()[::40], *library_modules(6)]
    ]
    assert [difference for source in sources for difference in differences(source)] == []


def test_the_names_of_a_function_are_counted() -> None:
    function = ast.parse(
        "def f(a, b):\n    nonlocal c\n    a = 1\n    d = 2\n    e = 3; e = 4"
    ).body[0]
    assert isinstance(function, Function)
    bound = BoundNames(function)
    assert (bound.shared, bound.once) == ({"c"}, {"f", "b", "d"})
