"""The quick walks see the nodes that `ast.walk` sees, less those that never matter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.real_source import library_modules, own_modules

from esper_audit.source.syntax.ast_walk import depth, scan, walk

NEVER = (
    ast.expr_context,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.alias,
    ast.type_ignore,
)
KINDS = frozenset(k for k in vars(ast).values() if isinstance(k, type) and issubclass(k, ast.AST))
EVERYTHING = """
@d
async def f(a: int, /, b: str = 1, *c: e, g, h=2, **i) -> j:
    global k
    async with l as m: await n
    async for o in p: yield q
    x: int = yield from r
    del s[1:2:3]
    return lambda *t, u=1: {**v, w: 1, **{y for z in a if b}}
class C(D, metaclass=E):
    try: raise F from G
    except* H as I: pass
    while (J := not K): break
    else: continue_ = f'{L!r:>{M}}' 'N'
match O:
    case [P, *Q] | {'R': S, **T} if U: assert V, W
    case X(Y, Z=1) as aa: bb += cc @ dd
    case None | ee.ff: import gg.hh as ii
    case -1: from .jj import kk as ll, mm
    case _: nn if oo else pp < qq <= rr and ss or tt[...]
"""


def wanted(tree: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if not isinstance(node, NEVER)]


@pytest.mark.parametrize("file", [*own_modules()[::8], *library_modules(20)], ids=lambda f: f.stem)
def test_walks_visit_what_the_slow_one_visits_on_real_files(file: Path) -> None:
    tree = ast.parse(file.read_bytes())
    assert set(walk(tree)) == set(wanted(tree))
    assert {n for n in scan(tree, KINDS) if not isinstance(n, NEVER)} == set(wanted(tree)) - leaves(
        tree
    )


def leaves(tree: ast.AST) -> set[ast.AST]:
    """Nodes that `scan` may leave out: nobody can want them by class."""
    return set(wanted(tree)) - set(scan(tree, KINDS))


def test_walks_visit_every_kind_of_node_once() -> None:
    tree = ast.parse(EVERYTHING)
    visited = list(walk(tree))
    assert len(visited) == len(set(visited))
    assert set(visited) == set(wanted(tree))
    scanned = scan(tree, KINDS)
    assert len(scanned) == len(set(scanned))
    assert set(wanted(tree)) <= set(scanned)


def test_a_walk_goes_in_source_order() -> None:
    tree = ast.parse("a = b(c, d)\nif e: f\n")
    assert [n.id for n in walk(tree) if isinstance(n, ast.Name)] == list("abcdef")


def test_a_scan_returns_the_wanted_kinds_only() -> None:
    tree = ast.parse(EVERYTHING)
    calls_and_tries = scan(tree, frozenset({ast.Await, ast.TryStar}))
    assert sorted(type(node).__name__ for node in calls_and_tries) == ["Await", "TryStar"]


@given(st.integers(min_value=1, max_value=2000))
def test_depth_counts_every_level_without_recursion(levels: int) -> None:
    node: ast.expr = ast.Name("x")
    for _ in range(levels):
        node = ast.Attribute(node, "a")
    assert depth(node) == levels + 1


@pytest.mark.parametrize("code", ["a and b and c and d", "import a.b.c", "from a.b.c import d"])
def test_depth_counts_what_libcst_nests_and_ast_does_not(code: str) -> None:
    assert depth(ast.parse(code)) >= 4
