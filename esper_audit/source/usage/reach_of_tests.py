"""What tests reach: the functions and classes of production code that a test uses, directly or through other code."""

from __future__ import annotations

import re
from collections.abc import Mapping

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.reference_table import ResolvedMention
from esper_audit.source.usage.reachability import (
    MODULE_LEVEL,
    Unreached,
    UseGraph,
    running_function,
)
from esper_audit.source.usage.tree import Tree

CLASS_SEARCHES = frozenset(
    {"__subclasses__", "all_objects", "getmembers", "iter_modules", "walk_packages"}
)
TEST_SUPPORT = re.compile(r"(^|/)_?(testing|test_?utils?|test_?helpers?)(/|\.py$)")
DECLARATIONS = frozenset({ClassKind.PROTOCOL, ClassKind.TYPED_DICT})
KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS})


def testable_symbols(tree: Tree) -> dict[str, Symbol]:
    """Return the functions, methods and classes of production code, by key."""
    return {symbol.key: symbol for symbol in tree.in_scope(tree.index.all_symbols(KINDS))}


def unreached(tree: Tree, symbols: Mapping[str, Symbol]) -> tuple[set[str], set[str]]:
    """Return the keys that no test reaches, and those of them that no module-level code reaches."""

    def source_of(hit: ResolvedMention) -> str:
        is_plain = hit.role is Role.PRODUCTION and not TEST_SUPPORT.search(hit.module.path)
        source = running_function(hit) if is_plain else hit.role
        return source if source in symbols or source == Role.TEST else MODULE_LEVEL

    graph = UseGraph(tree, symbols, source_of)
    has_class_search = any(
        not CLASS_SEARCHES.isdisjoint(unit.mentions) for unit in tree.index.modules()
    )
    for key, symbol in symbols.items():
        owner = tree.external_callers.owner(symbol)
        if owner is not None and _is_called_implicitly(tree, symbol):
            graph.add(owner.key, key)
        if tree.external_callers.is_registered(symbol) or (
            has_class_search and _is_derived(tree, symbol)
        ):
            graph.add(MODULE_LEVEL, key)
    untested = Unreached(graph, symbols)
    untested.discard(Role.TEST)
    left = Unreached(graph, untested.keys)
    left.discard(MODULE_LEVEL)
    return untested.keys, left.keys


def is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether a test of a symbol may be expected."""
    definition = tree.index.definition(symbol)
    owner = tree.external_callers.owner(symbol)
    is_local = owner is None and "." in symbol.symbol
    if symbol.is_private or symbol.short.startswith("__") or is_local:
        return False
    if (
        TEST_SUPPORT.search(symbol.path)
        or tree.index.resolver.hierarchy.kind(symbol.key) in DECLARATIONS
    ):
        return False
    if "DeprecationWarning" in tree.text(symbol):
        return False
    is_declaration = definition.stub and symbol.kind is not DefinitionKind.CLASS
    return not is_declaration and not (
        owner is not None and tree.external_callers.is_prescribed(symbol)
    )


def _is_derived(tree: Tree, symbol: Symbol) -> bool:
    is_class = symbol.kind is DefinitionKind.CLASS
    return is_class and bool(tree.index.definition(symbol).bases)


def _is_called_implicitly(tree: Tree, method: Symbol) -> bool:
    """Return whether a method may run without a call in the tree, once an object exists."""
    outside = tree.external_callers
    return outside.is_called_by_language(method) or outside.is_prescribed(method)
