"""The rule `untested-symbol`: a public function or class that no test reaches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import untested_symbol_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reachability import (
    MODULE_LEVEL,
    discard_reachable,
    running_function,
    users,
)
from esper_audit.source.usage.tree import Tree

CLASS_SEARCHES = frozenset(
    {"__subclasses__", "all_objects", "getmembers", "iter_modules", "walk_packages"}
)
TEST_SUPPORT = re.compile(r"(^|/)_?(testing|test_?utils?|test_?helpers?)(/|\.py$)")
DECLARATIONS = frozenset({ClassKind.PROTOCOL, ClassKind.TYPED_DICT})
KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS})


class UntestedOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When unreached symbols are reported.

    `most`: the share of public symbols (0 to 1) that tests must reach for a report.
    `names`: names that are always reported.
    """

    most: float = 0.75
    names: tuple[str, ...] = ()


class UntestedSymbol(TreeRule):
    """No test reaches a public function or class.

    What: a public function, method or class of production code that neither a test nor code that a
    test reaches uses. Such symbols are reported if tests reach at least the share `most` of the
    public symbols; the names in the option `names` are reported in any case.

    Why: it is assumed to work because the code around it works. Its first execution is by a user.

    Quiet: a project whose tests reach little, and one whose tests are not in the tree; private names,
    local functions, stubs, protocols and abstract methods; methods that the language or a base
    calls, if their class is reached; symbols that module-level code uses or a decorator passes on;
    classes with a base if the project searches for subclasses or walks its modules; `testing` and
    `test_utils` modules, and what they use; code that raises a DeprecationWarning; members of a
    reported class; a use whose owner is not known but that has the name, and a test that contains
    the name in a string.

    Tickets: real code
    """

    contract = "tests-cover-it"
    category = Category.TEST_COVERAGE
    severity = Severity.P4
    default = False
    precision = (
        "62 of 66 findings were correct (5 packages), but not every project tests everything"
    )

    Options = UntestedOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the unreached public symbols if most public symbols are reached."""
        assert isinstance(self.options, UntestedOptions)
        symbols = {s.key: s for s in tree.in_scope(tree.index.all_symbols(KINDS))}
        untested, left = _unreached(tree, symbols)
        public = [symbol for symbol in symbols.values() if _is_public(tree, symbol)]
        are_few = len(_outermost(public, untested)) <= (1 - self.options.most) * len(public)
        outermost = _outermost(public, left)
        for symbol in (one for one in public if one.key in left):
            is_listed = any(f".{symbol.name}".endswith(f".{n}") for n in self.options.names)
            if not is_listed and (symbol not in outermost or not are_few):
                continue
            answer = tree.index.references(symbol)
            if answer.is_complete:
                yield tree.at_symbol(symbol, f"no test reaches the {symbol.kind} `{symbol.symbol}`")
            else:
                yield tree.undecided(symbol, answer)


def _outermost(symbols: Iterable[Symbol], left: set[str]) -> list[Symbol]:
    """Return the symbols whose key is left, without members of a class whose key is left."""
    return [s for s in symbols if s.key in left and s.key.rpartition(".")[0] not in left]


def _unreached(tree: Tree, symbols: Mapping[str, Symbol]) -> tuple[set[str], set[str]]:
    """Return the keys that no test reaches, and those of them that no module-level code reaches."""
    edges: dict[str, set[str]] = defaultdict(set)
    has_class_search = any(
        not CLASS_SEARCHES.isdisjoint(unit.mentions) for unit in tree.index.modules()
    )
    for key, symbol in symbols.items():
        for hit in users(tree, symbol):
            is_plain = hit.role is Role.PRODUCTION and not TEST_SUPPORT.search(hit.module.path)
            source = running_function(hit) if is_plain else hit.role
            edges[source if source in symbols or source == Role.TEST else MODULE_LEVEL].add(key)
        owner = tree.external_callers.owner(symbol)
        if owner is not None and _is_called_implicitly(tree, symbol):
            edges[owner.key].add(key)
        if tree.external_callers.is_registered(symbol) or (
            has_class_search and _is_derived(tree, symbol)
        ):
            edges[MODULE_LEVEL].add(key)
    untested = set(symbols)
    discard_reachable(edges[Role.TEST], edges, untested)
    left = set(untested)
    discard_reachable(edges[MODULE_LEVEL], edges, left)
    return untested, left


def _is_derived(tree: Tree, symbol: Symbol) -> bool:
    is_class = symbol.kind is DefinitionKind.CLASS
    return is_class and bool(tree.index.definition(symbol).bases)


def _is_called_implicitly(tree: Tree, method: Symbol) -> bool:
    """Return whether a method may run without a call in the tree, once an object exists."""
    outside = tree.external_callers
    return outside.is_called_by_language(method) or outside.is_prescribed(method)


def _is_public(tree: Tree, symbol: Symbol) -> bool:
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
