"""The rule `untested-symbol`: a public function or class that no test reaches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
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

SEARCHES = frozenset(
    {"__subclasses__", "all_objects", "getmembers", "iter_modules", "walk_packages"}
)
SUPPORT = re.compile(r"(^|/)_?(testing|test_?utils?|test_?helpers?)(/|\.py$)")
DECLARES = frozenset({ClassKind.PROTOCOL, ClassKind.TYPED_DICT})
KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CLASS})
FIVE = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(5))
TESTS = "import a\n\n\ndef test_all():\n    assert a.f0() < a.f1() < a.f2() < a.f3()\n"


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

    VALID = (
        ValidTree("all of it is reached", {"a.py": FIVE, "tests/test_a.py": f"{TESTS}    a.f4()\n"}),
        ValidTree("no tests at all", {"a.py": FIVE}),
        ValidTree(
            "no tests, and the top of a module that uses most",
            {"a.py": f"{FIVE}print(f0(), f1(), f2(), f3())\n"},
        ),
        ValidTree(
            "a test of something else beside it",
            {
                "a.py": f"{FIVE}print(f0(), f1(), f2(), f3())\n",
                "tests/test_b.py": "def test_b():\n    assert 1 + 1 == 2\n",
            },
        ),
        ValidTree(
            "a decorator hands it on",
            {
                "a.py": "from functools import singledispatch\n\n\n@singledispatch\ndef shown(x):\n"
                "    return x\n\n\n@shown.register(str)\ndef shown_text(x):\n    return x.strip()\n\n\n"
                + FIVE,
                "tests/test_a.py": f"{TESTS}    a.f4(a.shown(1))\n",
            },
        ),
        ValidTree(
            "a protocol",
            {
                "a.py": f"{FIVE}from typing import Protocol\n\n\nclass Shown(Protocol):\n"
                "    def show(self) -> str: ...\n",
                "tests/test_a.py": f"{TESTS}    a.f4()\n",
            },
        ),
        ValidTree(
            "what tests are made with",
            {
                "p/a.py": FIVE,
                "p/testing.py": "def almost(x, y):\n    return abs(x - y) < 1\n",
                "p/test_utils/run.py": "def run():\n    return 1\n",
                "tests/test_a.py": f"{TESTS.replace('import a', 'from p import a')}    a.f4()\n",
            },
            {"most": 0.5},
        ),
        ValidTree(
            "used by what tests are made with",
            {
                "p/a.py": FIVE,
                "p/testing.py": "from p import a\n\n\nclass Cases:\n    def test_four(self):\n"
                "        assert a.f4() == 4\n",
                "tests/test_a.py": f"{TESTS.replace('import a', 'from p import a')}",
            },
        ),
        ValidTree(
            "a deprecated one",
            {
                "a.py": f"import warnings\n\n\n{FIVE}def f5():\n"
                "    warnings.warn('f5 is deprecated', DeprecationWarning)\n    return 5\n",
                "tests/test_a.py": f"{TESTS}    a.f4()\n",
            },
        ),
        ValidTree(
            "classes that are looked for",
            {
                "a.py": f"{FIVE}class Base: ...\n\n\nclass One(Base): ...\n\n\ndef found():\n"
                "    return Base.__subclasses__()\n",
                "tests/test_a.py": f"{TESTS}    a.f4(a.found())\n",
            },
        ),
        ValidTree(
            "tests that reach little",
            {"a.py": FIVE, "tests/test_a.py": "import a\n\n\ndef test_one():\n    assert a.f1()\n"},
        ),
        ValidTree(
            "reached through another",
            {"a.py": f"{FIVE}def f5():\n    return f4()\n", "tests/test_a.py": f"{TESTS}    a.f5()\n"},
        ),
        ValidTree(
            "in a table",
            {"a.py": f"{FIVE}TABLE = {{'f4': f4}}\n", "tests/test_a.py": TESTS},
        ),
        ValidTree(
            "a private one",
            {"a.py": f"{FIVE}def _f():\n    return 1\n", "tests/test_a.py": f"{TESTS}    a.f4()\n"},
        ),
        ValidTree(
            "the forward of a module that is built",
            {
                "a.py": f"{FIVE}from torch import nn\n\n\nclass M(nn.Module):\n"
                "    def forward(self, x):\n        return x\n",
                "tests/test_a.py": f"{TESTS}    a.f4()\n    run(a.M())\n",
            },
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "one of five",
            {"a.py": FIVE, "tests/test_a.py": TESTS},
            (("a.py", 17, "no test reaches the function `f4`"),),
        ),
        InvalidTree(
            "a class, with all in it",
            {
                "a.py": f"{FIVE}class A:\n    def g(self):\n        return 1\n",
                "tests/test_a.py": f"{TESTS}    a.f4()\n",
            },
            (("a.py", 21, "no test reaches the class `A`"),),
        ),
        InvalidTree(
            "a name that the project lists",
            {"a.py": FIVE},
            (("a.py", 9, "no test reaches the function `f2`"),),
            {"names": ["a.f2"]},
        ),
    )

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
    finds_classes = any(not SEARCHES.isdisjoint(unit.mentions) for unit in tree.index.modules())
    for key, symbol in symbols.items():
        for hit in users(tree, symbol):
            is_plain = hit.role is Role.PRODUCTION and not SUPPORT.search(hit.module.path)
            source = running_function(hit) if is_plain else hit.role
            leads_to[source if source in symbols or source == Role.TEST else MODULE_LEVEL].add(key)
        owner = tree.external_callers.owner(symbol)
        if owner is not None and _is_called_by_others(tree, symbol):
            leads_to[owner.key].add(key)
        if tree.external_callers.is_registered(symbol) or (
            finds_classes and _is_derived(tree, symbol)
        ):
            leads_to[MODULE_LEVEL].add(key)
    untested = set(symbols)
    discard_reachable(leads_to[Role.TEST], leads_to, untested)
    left = set(untested)
    discard_reachable(leads_to[MODULE_LEVEL], leads_to, left)
    return untested, left


def _is_derived(tree: Tree, symbol: Symbol) -> bool:
    is_class = symbol.kind is DefinitionKind.CLASS
    return is_class and bool(tree.index.definition(symbol).bases)


def _is_called_by_others(tree: Tree, method: Symbol) -> bool:
    """Return whether a method runs without a mention once there is an object."""
    outside = tree.external_callers
    return outside.is_called_by_language(method) or outside.is_prescribed(method)


def _is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether a symbol is one of which a test may be expected."""
    definition = tree.index.definition(symbol)
    owner = tree.external_callers.owner(symbol)
    is_local = owner is None and "." in symbol.symbol
    if symbol.is_private or symbol.short.startswith("__") or is_local:
        return False
    if SUPPORT.search(symbol.path) or tree.index.resolver.hierarchy.kind(symbol.key) in DECLARES:
        return False
    if "DeprecationWarning" in tree.text(symbol):
        return False
    declares = definition.stub and symbol.kind is not DefinitionKind.CLASS
    return not declares and not (owner is not None and tree.external_callers.is_prescribed(symbol))
