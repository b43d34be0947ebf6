"""The graph of uses: many symbols of one name share their uses, and no symbol is used by its own body."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from support.audit_runs import write

from esper_audit.project.config import Project, find_project
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.index import open_index
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reachability import (
    MODULE_LEVEL,
    Unreached,
    UseGraph,
    running_function,
)
from esper_audit.source.usage.tree import Tree

CLASSES = 80
# 110 where methods of one name share their uses, 5,000 where each method holds all of them.
MOST_BYTES = 1000
KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD})
MODULE = """
class Layer{0}:
    def apply_all(self, inputs):
        return inputs


def use_{0}(given):
    return given.apply_all(given)
"""
RECURSIVE = """
def first(given):
    return given.visit(given)


class Tree:
    def visit(self, given):
        return given.visit(given)


class Leaf:
    def visit(self, given):
        return given


def start():
    return Tree().visit(None)
"""


def tree_of(root: Path, files: dict[str, str]) -> tuple[Tree, dict[str, Symbol]]:
    """Return the tree of some files, with its reference table, and its functions by key."""
    write(root, {"pyproject.toml": "", **files})
    tree = Tree(str(root), open_index(Project(str(root), find_project([str(root)]).config)))
    assert tree.reference_table
    return tree, {symbol.key: symbol for symbol in tree.index.all_symbols(KINDS)}


def test_methods_of_one_name_share_their_uses(tmp_path: Path) -> None:
    files = {f"pkg/m{n}.py": MODULE.format(n) for n in range(CLASSES)}
    tree, functions = tree_of(tmp_path, files)
    tracemalloc.start()
    try:
        graph = UseGraph(tree, functions, running_function)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(functions) < MOST_BYTES
    unreached = Unreached(graph, functions)
    unreached.discard("pkg/m0.py:use_0")
    assert unreached.keys == {f"pkg/m{n}.py:use_{n}" for n in range(1, CLASSES)}


def test_a_use_in_its_own_body_reaches_only_the_others(tmp_path: Path) -> None:
    tree, keys = tree_of(tmp_path, {"a.py": RECURSIVE})
    graph = UseGraph(tree, keys, running_function)
    at_top = Unreached(graph, keys)
    at_top.discard(MODULE_LEVEL)
    assert at_top.keys == set(keys)
    own = {key for group in graph.used_by("a.py:Tree.visit") for key in group}
    assert own == {"a.py:Leaf.visit"}
    from_first = Unreached(graph, keys)
    from_first.discard("a.py:first")
    assert from_first.keys == {"a.py:start"}
