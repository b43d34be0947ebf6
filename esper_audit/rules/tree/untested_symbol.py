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
from esper_audit.source.usage.reachability import BY_ITSELF, runs_in, spread, users
from esper_audit.source.usage.tree import Tree

SEARCHES = frozenset(
    {"__subclasses__", "all_objects", "getmembers", "iter_modules", "walk_packages"}
)
SUPPORT = re.compile(r"(^|/)_?(testing|test_?utils?|test_?helpers?)(/|\.py$)")
DECLARES = frozenset({ClassKind.PROTOCOL, ClassKind.TYPED_DICT})
KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS})


class UntestedOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`most`: the share that tests must reach for the rest to be told; `names`: always told."""

    most: float = 0.75
    names: tuple[str, ...] = ()


class UntestedSymbol(TreeRule):
    """No test reaches a public function or class.

    What: a public function, method or class of production code that neither a test nor anything that a
    test reaches uses; it speaks where tests reach at least the share `most` of what is public, and in
    any case of the names that the option `names` lists.

    Why: it is believed to work because what is around it does. The first who runs it is a user.

    Quiet: a project whose tests reach little, and one whose tests are not in the tree; private names,
    local functions, stubs, protocols and abstract methods; what the language or a base calls, if its
    class is reached; what code at the top of a module uses, or a decorator hands on; classes with a
    base where the project looks for subclasses or walks its modules; `testing` and `test_utils`
    modules, and what they use; what warns that it is deprecated; members of a class that is reported;
    a use whose owner is not known but has the name, and a test that spells the name in a string.

    Tickets: real code
    """

    contract = "tests-cover-it"
    category = Category.TEST_COVERAGE
    severity = Severity.P4
    default = False
    precision = (
        "62 of 66 read were right (5 packages), but not everybody wants a test of everything"
    )

    Options = UntestedOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report what is public and not reached, if most is."""
        assert isinstance(self.options, UntestedOptions)
        symbols = {s.key: s for s in tree.in_scope(tree.index.all_symbols(KINDS))}
        untested, left = _unreached(tree, symbols)
        public = [symbol for symbol in symbols.values() if _is_public(tree, symbol)]
        are_few = len(_outermost(public, untested)) <= (1 - self.options.most) * len(public)
        said = _outermost(public, left)
        for symbol in (one for one in public if one.key in left):
            is_listed = any(f".{symbol.name}".endswith(f".{n}") for n in self.options.names)
            if not is_listed and (symbol not in said or not are_few):
                continue
            answer = tree.index.references(symbol)
            if answer.is_complete:
                yield tree.at_symbol(symbol, f"no test reaches the {symbol.kind} `{symbol.symbol}`")
            else:
                yield tree.undecided(symbol, answer)


def _outermost(symbols: Iterable[Symbol], left: set[str]) -> list[Symbol]:
    """Return the symbols that are left, without those in a class that is left."""
    return [s for s in symbols if s.key in left and s.key.rpartition(".")[0] not in left]


def _unreached(tree: Tree, symbols: Mapping[str, Symbol]) -> tuple[set[str], set[str]]:
    """Return the keys that no test leads to, and those of them that the top of no module leads to."""
    leads_to: dict[str, set[str]] = defaultdict(set)
    finds_classes = any(not SEARCHES.isdisjoint(unit.mentions) for unit in tree.index.units())
    for key, symbol in symbols.items():
        for hit in users(tree, symbol):
            is_plain = hit.role is Role.PRODUCTION and not SUPPORT.search(hit.unit.path)
            source = runs_in(hit) if is_plain else hit.role
            leads_to[source if source in symbols or source == Role.TEST else BY_ITSELF].add(key)
        owner = tree.outside.owner(symbol)
        if owner is not None and _is_called_by_others(tree, symbol):
            leads_to[owner.key].add(key)
        if tree.outside.is_registered(symbol) or (finds_classes and _is_derived(tree, symbol)):
            leads_to[BY_ITSELF].add(key)
    untested = set(symbols)
    spread(leads_to[Role.TEST], leads_to, untested)
    left = set(untested)
    spread(leads_to[BY_ITSELF], leads_to, left)
    return untested, left


def _is_derived(tree: Tree, symbol: Symbol) -> bool:
    is_class = symbol.kind is DefinitionKind.CLASS
    return is_class and bool(tree.index.definition(symbol).bases)


def _is_called_by_others(tree: Tree, method: Symbol) -> bool:
    """Return whether a method runs without a mention once there is an object."""
    outside = tree.outside
    return outside.is_called_by_language(method) or outside.is_prescribed(method)


def _is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether a symbol is one of which a test may be expected."""
    definition = tree.index.definition(symbol)
    owner = tree.outside.owner(symbol)
    is_local = owner is None and "." in symbol.symbol
    if symbol.is_private or symbol.short.startswith("__") or is_local:
        return False
    if SUPPORT.search(symbol.path) or tree.index.resolver.kin.kind(symbol.key) in DECLARES:
        return False
    if "DeprecationWarning" in tree.text(symbol):
        return False
    declares = definition.stub and symbol.kind is not DefinitionKind.CLASS
    return not declares and not (owner is not None and tree.outside.is_prescribed(symbol))
