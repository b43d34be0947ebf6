"""The packages of a tree with the public functions and classes that no test reaches."""

from __future__ import annotations

from collections import defaultdict

from esper_audit.findings.reached_package import ReachedPackage, UntestedPlace
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reach_of_tests import is_public, testable_symbols, unreached
from esper_audit.source.usage.tree import Tree


def reached_packages(tree: Tree) -> list[ReachedPackage]:
    """Return each folder with public functions or classes. Methods are left out, their class counts."""
    symbols = testable_symbols(tree)
    untested, _ = unreached(tree, symbols)
    folders: dict[str, list[Symbol]] = defaultdict(list)
    for symbol in symbols.values():
        if symbol.kind is not DefinitionKind.METHOD and is_public(tree, symbol):
            folders[symbol.path.rpartition("/")[0]].append(symbol)
    return [
        ReachedPackage(folder, len(public), sorted(_place(s) for s in public if s.key in untested))
        for folder, public in sorted(folders.items())
    ]


def _place(symbol: Symbol) -> UntestedPlace:
    return UntestedPlace(symbol.path, symbol.line, symbol.symbol)
