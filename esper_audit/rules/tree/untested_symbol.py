"""The rule `untested-symbol`: a public function or class that no test reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import untested_symbol_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reach_of_tests import is_public, testable_symbols, unreached
from esper_audit.source.usage.tree import Tree


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
        symbols = testable_symbols(tree)
        untested, left = unreached(tree, symbols)
        public = [symbol for symbol in symbols.values() if is_public(tree, symbol)]
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
