"""Objects that escape to code outside the tree, which may call any of their methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.access_path import named
from esper_audit.source.facts.extraction.expression_paths import path_of
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import BUILTINS

if TYPE_CHECKING:
    from esper_audit.source.usage.tree import Tree


def has_escaping_object(tree: Tree, owner: Symbol) -> bool:
    """Return whether an object of a class is passed to, or stored in, something outside the tree."""
    module, own = tree.index.store.module(owner.path), tree.source(owner.path)
    if (
        module is not None
        and own is not None
        and _passes_self_outside(tree, module, own.tree, owner)
    ):
        return True
    for hit in tree.reference_table.certain(owner):
        made = hit.use is Use.CALL and hit.role is not Role.TEST
        source = tree.source(hit.module.path) if made else None
        if source is not None:
            line = hit.mention.line
            around = [s for s in source.tree.body if s.lineno <= line <= (s.end_lineno or line)]
            if any(
                _passes_object_outside(tree, hit.module, statement, owner.short)
                for statement in around
            ):
                return True
    return False


def _passes_self_outside(
    tree: Tree, module: ModuleFacts, tree_of_file: ast.Module, owner: Symbol
) -> bool:
    calls = (
        node
        for node in walk(tree_of_file)
        if isinstance(node, ast.Call) and owner.line <= node.lineno <= owner.end_line
    )
    return any(
        _is_outside(tree, module, call)
        for call in calls
        if any(_is_named(given, {"self"}) for given in _arguments(call))
    )


def _passes_object_outside(tree: Tree, module: ModuleFacts, statement: ast.stmt, name: str) -> bool:
    nodes = list(walk(statement))
    made = {
        id(node)
        for node in nodes
        if isinstance(node, ast.Call) and _is_constructor_call(node, name)
    }
    names = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and id(node.value) in made:
            if any(_is_foreign_attribute(target) for target in node.targets):
                return True
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    calls = (node for node in nodes if isinstance(node, ast.Call))
    return any(
        _is_outside(tree, module, call)
        for call in calls
        if any(id(given) in made or _is_named(given, names) for given in _arguments(call))
    )


def _is_constructor_call(call: ast.Call, name: str) -> bool:
    return path_of(call.func).terminal == name


def _is_foreign_attribute(target: ast.expr) -> bool:
    """Return whether an assignment stores into an object that is not `self`."""
    return isinstance(target, ast.Attribute) and path_of(target.value) != named("self")


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _is_named(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _is_outside(tree: Tree, module: ModuleFacts, call: ast.Call) -> bool:
    """Return whether a call runs code of which the tree does not hold the text."""
    word = path_of(call.func).terminal
    if word in BUILTINS:
        return False
    for mention in module.mentions.get(word, ()):
        if mention.line == (call.func.end_lineno or 0) and mention.use is Use.CALL:
            targets = tree.index.target_resolver.targets(module, mention)
            return not targets.keys or targets.resolved_by is ResolvedBy.NAME
    return True
