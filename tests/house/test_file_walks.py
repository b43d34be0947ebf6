"""No rule walks a whole file: the engine walks a file once for all rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.source_files import SourceFile, offences, package_files, snippet

WALKS = frozenset({"walk", "scan", "collect", "children", "depth", "iter_child_nodes"})
ROOTS = frozenset({"tree", "module"})
RULE_FOLDERS = ("esper_audit/rules/file/", "esper_audit/source/idioms/")
# These serve the tree rules.
EXEMPT_FOLDERS = frozenset({"duplication", "branches"})


def whole_walks(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if not isinstance(node, ast.Call) or last_name(node.func) not in WALKS:
            continue
        if any(last_name(argument) in ROOTS for argument in node.args):
            yield file.at(node.lineno, ast.unparse(node))


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_no_rule_walks_a_whole_file() -> None:
    files = [
        file
        for file in package_files()
        if file.path.as_posix().startswith(RULE_FOLDERS)
        and EXEMPT_FOLDERS.isdisjoint(file.path.parts)
    ]
    assert len(files) > 20
    found = offences(whole_walks, files)
    assert not found, f"use `FileView.nodes` and `FileView.once`:\n{found}"


def test_a_walk_of_a_tree_is_reported_and_a_walk_of_a_node_is_not() -> None:
    whole = snippet("for node in walk(file.tree): f(node)\nfound = scan(module, KINDS)\n")
    assert offences(whole_walks, [whole]).count("\n") == 1
    assert not offences(whole_walks, [snippet("found = scan(function, KINDS)\n")])
