"""The rule `dead-branch`: a condition that is always true or always false."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import dead_branch_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.idioms.branches.branch_analysis import BranchWalk, ConstantCondition
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import Function
from esper_audit.source.usage.constant_arguments import annotated_type, constant_arguments
from esper_audit.source.usage.signatures import KINDS
from esper_audit.source.usage.tree import Tree


class DeadBranchOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`arguments`: also use the constants that all calls of a private function pass."""

    arguments: bool = False


class DeadBranch(TreeRule):
    """A condition is always true or always false.

    What: an `if` or a conditional expression on local names that earlier code decides: an earlier
    test (`if x is None: return` and later `if x is None`), a constant assigned to the name, the
    annotated return type of a call (`isinstance(f(x), tuple)` where `f` returns a Tensor), and with
    the option `arguments` the constants that all calls of a private function pass. The tests are
    None, equality with a constant, `isinstance`, and the truth of bool parameters.

    Why: one of the branches never runs. It must be read and maintained, and often it is the very
    check that other code relies on.

    Quiet: names that are bound again in between, in an enclosing loop, by a nested function or by a
    `global` declaration; the truth of anything that can be filled or emptied; attributes; code after
    a `try`, `with` or `match` that may have been left early; an `elif` without `else` that spells
    out the remaining case; a name that is set once to a bool, which is a manual switch; an annotated
    function that may return None nevertheless, or a test for exactly the annotated type; functions
    that code outside the tree may call, that are used as values or called with `*args`; conditions
    of loops, asserts; a branch inside a reported branch.

    Tickets: real code
    """

    contract = "live-branches"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = (
        "79 of 80 findings were correct (20 packages); with the option `arguments`, 3 of 27 more"
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    Options = DeadBranchOptions

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the conditions of all functions that earlier code decides."""
        types: dict[str, str] = {}
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            node = tree.function(function)
            if node is not None and _has_branches(node):
                for constant in self._constants(tree, function, node, types):
                    yield _violation(tree, function, constant)

    def _constants(
        self, tree: Tree, function: Symbol, node: Function, types: dict[str, str]
    ) -> list[ConstantCondition]:
        assert isinstance(self.options, DeadBranchOptions)
        unit = tree.index.store.module(function.path)
        assert unit is not None
        start = ConditionFacts()
        if self.options.arguments:
            names = (part for test in _tests(node) for part in walk(test))
            tested = frozenset(name.id for name in names if isinstance(name, ast.Name))
            start = ConditionFacts(values=constant_arguments(tree, function, tested))
        walked = BranchWalk(node, lambda call: annotated_type(tree, unit, call, types), start)
        return sorted(
            walked.constant_conditions, key=lambda one: (one.test.lineno, one.test.col_offset)
        )


def _has_branches(node: Function) -> bool:
    return any(True for _ in _tests(node))


def _tests(node: Function) -> Iterator[ast.expr]:
    for part in walk(node):
        if isinstance(part, (ast.If, ast.IfExp)):
            yield part.test


def _violation(tree: Tree, function: Symbol, constant: ConstantCondition) -> TreeViolation:
    test, known = constant
    way = "true" if known.truth else "false"
    message = f"`{ast.unparse(test)}` is always {way}: {known.reason}"
    return tree.at_node(function.path, test, message, subject=function.symbol)
