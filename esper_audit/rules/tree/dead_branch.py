"""The rule `dead-branch`: a condition that can only go one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.rule import Options
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.idioms.branches.branch_analysis import BranchWalk, Constant
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import Function
from esper_audit.source.usage.constant_arguments import annotated_type, constant_arguments
from esper_audit.source.usage.signatures import KINDS
from esper_audit.source.usage.tree import Tree


class DeadBranchOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`arguments` tells, too, what the constants decide that all calls of a private function pass."""

    arguments: bool = False


TWICE = "def f(x):\n    if x is None:\n        return 0\n    y = 1\n    if x is None:\n        y = 2\n    return y\n"


class DeadBranch(TreeRule):
    """A condition is always true, or always false.

    What: an `if` or a conditional expression on local names that is decided by what is known there: a
    test passed before (`if x is None: return` and later `if x is None`), a constant the name was set
    to, the type that a call is annotated to return (`isinstance(f(x), tuple)` where `f` returns a
    Tensor), and with the option `arguments` the constants that all calls of a private function pass.
    Tests are None, equality with a constant, `isinstance`, and the truth of bool parameters.

    Why: one of the branches never runs. It is read and kept up to date for nothing, and often it is the
    very check that somebody relies on.

    Quiet: names that are bound again on the way, in a loop around, by a nested function or declared
    `global`; the truth of anything that can be filled or emptied; attributes; what a `try`, `with` or
    `match` may have left early; an `elif` without `else` that spells out what is left; a name that is
    set once, to a bool: a switch; an annotated function that returns None all the same, or is asked
    for the very type it is annotated with; functions that somebody outside may call, are used as
    values or have calls with `*args`; loops' own conditions, asserts; a branch inside one that is
    reported.

    Tickets: real code
    """

    contract = "live-branches"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = "79 of 80 read were right (20 packages); with the option `arguments`, 3 of 27 more"

    VALID = (
        ValidTree(
            "bound again",
            {"a.py": TWICE.replace("    y = 1\n", "    y = 1\n    x = y or None\n")},
        ),
        ValidTree(
            "bound in the loop around",
            {
                "a.py": "def f(xs):\n    first = None\n    for x in xs:\n        if first is None:\n"
                "            first = x\n    return first\n"
            },
        ),
        ValidTree(
            "set in a try",
            {
                "a.py": "def f(g):\n    x = None\n    try:\n        x = g()\n    except OSError:\n        pass\n"
                "    if x is None:\n        return 1\n    return 2\n"
            },
        ),
        ValidTree(
            "a list that is filled in between",
            {
                "a.py": "def f(xs: list):\n    if not xs:\n        xs.append(1)\n    if xs:\n        return 1\n"
                "    return 0\n"
            },
        ),
        ValidTree(
            "bound by a function inside",
            {
                "a.py": "def f():\n    x = None\n\n    def g():\n        nonlocal x\n        x = 1\n\n    g()\n"
                "    if x is None:\n        return 1\n    return 2\n"
            },
        ),
        ValidTree(
            "calls pass several values",
            {
                "a.py": "def _f(way):\n    if way == 'left':\n        return 1\n    return 2\n\n\n"
                "_f('left')\n_f('right')\n"
            },
        ),
        ValidTree(
            "public in a library",
            {"a.py": "def f(way):\n    if way == 'left':\n        return 1\n    return 2\n\n\nf('left')\n"},
        ),
        ValidTree(
            "a function that may return a tuple",
            {
                "a.py": "from torch import Tensor\n\n\ndef g(x) -> Tensor | tuple:\n    return x\n\n\ndef f(x):\n"
                "    y = g(x)\n    if isinstance(y, tuple):\n        return y[0]\n    return y\n"
            },
        ),
        ValidTree(
            "a type or None",
            {
                "a.py": "def f(x):\n    assert isinstance(x, (list, type(None)))\n    if x is None:\n"
                "        return 0\n    return 1\n"
            },
        ),
        ValidTree(
            "returns None against its annotation",
            {
                "a.py": "def g(x) -> int:\n    found = None\n    for y in x:\n        found = y\n"
                "    return found\n\n\ndef f(x):\n    y = g(x)\n    if y is not None:\n"
                "        return y\n    return 0\n"
            },
        ),
        ValidTree(
            "asks for the very type that is annotated",
            {
                "a.py": "from torch import Tensor\n\n\ndef g(x: Tensor) -> Tensor:\n    return x\n\n\n"
                "def f(x):\n    y = g(x)\n    if not isinstance(y, Tensor):\n        y = Tensor(y)\n"
                "    return y\n"
            },
        ),
        ValidTree(
            "the rest spelled out",
            {
                "a.py": "def f(x):\n    if x is None:\n        y = 0\n    elif x is not None:\n"
                "        y = 1\n    return y\n"
            },
        ),
        ValidTree(
            "a switch to set by hand",
            {"a.py": "def f(x):\n    verbose = False\n    if verbose:\n        print(x)\n    return x\n"},
        ),
        ValidTree(
            "what a private function is asked for today",
            {
                "a.py": "def _f(x, mode):\n    return x if mode == 'train' else -x\n\n\n"
                "_f(1, 'train')\n_f(2, mode='train')\n"
            },
        ),
        ValidTree(
            "called by itself alone",
            {
                "a.py": "def _f(x, is_first=True):\n    if is_first:\n        return x\n"
                "    return _f(x, False)\n"
            },
            {"arguments": True},
        ),
        ValidTree(
            "tested on one way only",
            {
                "a.py": "def f(x, y):\n    if y:\n        if x is None:\n            return 0\n    if x is None:\n"
                "        return 1\n    return x\n"
            },
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "set on one way, tested on the other",
            {
                "a.py": "def f(x):\n    if x is None:\n        x = {}\n    y = x if x is not None else {}\n"
                "    return y\n"
            },
            (("a.py", 4, "`x is not None` is always true: line 3 sets it or line 2 has tested it"),),
        ),
        InvalidTree(
            "one of two that differ",
            {"a.py": "def f(x):\n    if x != 'n' or x != 'y':\n        return 1\n    return 0\n"},
            (("a.py", 2, "`x != 'n' or x != 'y'` is always true: one part of it decides the other"),),
        ),
        InvalidTree(
            "an elif with something behind it",
            {
                "a.py": "def f(x):\n    if x is None:\n        return 0\n    elif x is not None:\n"
                "        return 1\n    else:\n        return 2\n"
            },
            (("a.py", 4, "`x is not None` is always true: line 2 has tested it"),),
        ),
        InvalidTree(
            "known from further up than the last test",
            {
                "a.py": "def f(x, y):\n    assert x is not None\n    if y and x is not None:\n"
                "        y = 0\n    if x is not None:\n        y = 1\n    return y\n"
            },
            (("a.py", 5, "`x is not None` is always true: line 2 has tested it"),),
        ),
        InvalidTree(
            "tested before",
            {"a.py": TWICE},
            (("a.py", 5, "`x is None` is always false: line 2 has tested it"),),
        ),
        InvalidTree(
            "twice in a chain",
            {
                "a.py": "def f(way):\n    if way == 'left':\n        return 1\n    elif way == 'right':\n"
                "        return 2\n    elif way == 'left':\n        return 3\n    return 4\n"
            },
            (("a.py", 6, "`way == 'left'` is always false: line 2 has tested it"),),
        ),
        InvalidTree(
            "every call passes one value",
            {
                "a.py": "def _f(x, mode):\n    return x if mode == 'train' else -x\n\n\n"
                "_f(1, 'train')\n_f(2, mode='train')\n"
            },
            (("a.py", 2, "`mode == 'train'` is always true: every call of `_f` passes 'train'"),),
            {"arguments": True},
        ),
        InvalidTree(
            "a value that nobody passes",
            {
                "a.py": "def _f(x, mode):\n    if mode is None:\n        return 0\n    if mode == 'test':\n"
                "        return x\n    return -x\n\n\n_f(1, 'train')\n_f(2, mode='eval')\n"
            },
            (
                ("a.py", 2, "`mode is None` is always false: calls of `_f` pass nothing but 'eval', 'train'"),
                ("a.py", 4, "`mode == 'test'` is always false: calls of `_f` pass nothing but 'eval', 'train'"),
            ),
            {"arguments": True},
        ),
        InvalidTree(
            "a tuple where a tensor is returned",
            {
                "a.py": "from torch import Tensor\n\n\ndef g(x: Tensor) -> Tensor:\n    return x\n\n\ndef f(x):\n"
                "    y = g(x)\n    if isinstance(y, (tuple, list)):\n        y = y[0]\n    return y\n"
            },
            (("a.py", 10, "`isinstance(y, (tuple, list))` is always false: `g` returns a Tensor"),),
        ),
    )  # fmt: skip

    Options = DeadBranchOptions

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the conditions of every function that are decided where they stand."""
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            node = tree.function(function)
            if node is not None and _has_branches(node):
                for constant in self._constants(tree, function, node):
                    yield _told(tree, function, constant)

    def _constants(self, tree: Tree, function: Symbol, node: Function) -> list[Constant]:
        assert isinstance(self.options, DeadBranchOptions)
        unit = tree.index.store.module(function.path)
        assert unit is not None
        start = ConditionFacts()
        if self.options.arguments:
            names = (part for test in _tests(node) for part in walk(test))
            tested = frozenset(name.id for name in names if isinstance(name, ast.Name))
            start = ConditionFacts(values=constant_arguments(tree, function, tested))
        walked = BranchWalk(node, lambda call: annotated_type(tree, unit, call), start)
        return sorted(walked.found, key=lambda one: (one.test.lineno, one.test.col_offset))


def _has_branches(node: Function) -> bool:
    return any(True for _ in _tests(node))


def _tests(node: Function) -> Iterator[ast.expr]:
    for part in walk(node):
        if isinstance(part, (ast.If, ast.IfExp)):
            yield part.test


def _told(tree: Tree, function: Symbol, constant: Constant) -> TreeViolation:
    test, known = constant
    way = "true" if known.truth else "false"
    message = f"`{ast.unparse(test)}` is always {way}: {known.reason}"

    return tree.at_node(function.path, test, message, subject=function.symbol)
