"""The rule `argument-never-passed`: an optional argument that no call passes."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.facts import Parameter, ParameterKind
from esper_audit.finding import Category, NotAnalysed, Severity
from esper_audit.reference import Caller, Passing, Symbol
from esper_audit.role import Role
from esper_audit.signatures import KINDS, is_called_from_here_alone, shown, taking
from esper_audit.tree import Tree
from esper_audit.tree_rule import InvalidTree, TreeRule, TreeViolation, ValidTree

MANY = frozenset({ParameterKind.ARGS, ParameterKind.KWARGS})
TEMPLATE = 3  # as many functions of one name with one parameter are written to one pattern


class ArgumentNeverPassed(TreeRule):
    """An optional argument that nobody passes.

    What: a parameter with a default, of a function that the tree calls, that every call leaves out;
    calls in tests count as calls.

    Why: it is a constant that looks like a choice. Its other values are not exercised by anything, and
    the branches that they lead to are believed to work.

    Quiet: functions that somebody outside the tree may call: exported, public in a library, entry
    points, registered by a decorator, overrides and what is overridden, hooks of bases; functions and
    classes used as values (callbacks, tables) or spelled in strings; a call with `*args`, `**kwargs` or
    `partial` that may pass it, and one of a method by that name on an object not known; defaults that
    only bind a value early (`def f(i=i)`); names with a leading underscore; a parameter that three
    functions of one name share: they are written to a pattern.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4

    VALID = (
        ValidTree("passed by one", {"a.py": "def _f(x, eps=0):\n    return x + eps\n\n\n_f(1)\n_f(1, 2)\n"}),
        ValidTree(
            "passed by a test",
            {
                "a.py": "def _f(x, eps=0):\n    return x + eps\n\n\n_f(1)\n",
                "tests/test_a.py": "from a import _f\n\n\ndef test_f():\n    assert _f(1, eps=2)\n",
            },
        ),
        ValidTree("public in a library", {"a.py": "def f(x, eps=0):\n    return x + eps\n\n\nf(1)\n"}),
        ValidTree("never called", {"a.py": "def _f(x, eps=0):\n    return x + eps\n"}),
        ValidTree(
            "may be in kwargs",
            {"a.py": "def _f(x, eps=0):\n    return x + eps\n\n\ndef g(**kw):\n    return _f(1, **kw)\n"},
        ),
        ValidTree(
            "a callback too",
            {"a.py": "def _f(x, eps=0):\n    return x + eps\n\n\n_f(1)\nrun(_f)\n"},
        ),
        ValidTree("a name bound early", {"a.py": "k = 1\n\n\ndef _f(x, k=k):\n    return x + k\n\n\n_f(1)\n"}),
        ValidTree(
            "a method of a class that is passed on",
            {
                "a.py": "class _A:\n    def __init__(self, eps=0):\n        self.eps = eps\n\n\n_A()\n"
                "build(kind=_A)\n"
            },
        ),
        ValidTree(
            "an override",
            {
                "a.py": "class A:\n    def _f(self, eps=0):\n        return eps\n\n    def g(self):\n"
                "        return self._f()\n\n\nclass B(A):\n    def _f(self, eps=0):\n        return 1\n"
            },
        ),
        ValidTree(
            "passed to an object of unknown make",
            {
                "a.py": "class A:\n    def _f(self, eps=0):\n        return eps\n\n    def g(self):\n"
                "        return self._f()\n",
                "b.py": "def h(a):\n    return a._f(eps=1)\n",
            },
        ),
        ValidTree(
            "passed by a subclass",
            {
                "a.py": "class _A:\n    def __init__(self, eps=0):\n        self.eps = eps\n\n\n"
                "class _B(_A):\n    def __init__(self):\n        super().__init__(eps=1)\n\n\n_A()\n"
            },
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "two calls leave it out",
            {
                "a.py": "def _f(x, eps=1e-6):\n    return x + eps\n",
                "b.py": "import a\n\na._f(1)\na._f(2)\n",
            },
            (("a.py", 1, "none of the 2 calls of `_f` passes `eps`: it is always 1e-06"),),
        ),
        InvalidTree(
            "a local function",
            {
                "a.py": "def f(x):\n    def g(y, twice=False):\n        return y * 2 if twice else y\n\n"
                "    return g(x)\n"
            },
            (("a.py", 2, "the only call of `f.g` does not pass `twice`: it is always False"),),
        ),
        InvalidTree(
            "the constructor of a private class",
            {
                "a.py": "class _A:\n    def __init__(self, x, eps=None):\n        self.x = eps or x\n\n\n"
                "_A(1)\n_A(x=2)\n"
            },
            (("a.py", 2, "none of the 2 calls of `_A` passes `eps`: it is always None"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the optional parameters that all calls leave out."""
        peers = taking(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            optional = [
                p
                for p in tree.index.definition(function).parameters
                if _is_optional(p) and peers[function.short, p.name] < TEMPLATE
            ]
            if not optional or not is_called_from_here_alone(tree, function):
                continue
            for parameter in optional:
                answer = tree.index.callers(function, parameter.name)
                if not answer.items or not all(_omits(c) for c in answer.items):
                    continue
                if not answer.is_complete:
                    yield tree.undecided(function, answer)
                elif any(caller.place.role is not Role.TEST for caller in answer.items):
                    message = _message(function, parameter, len(answer.items))
                    yield tree.at_parameter(function, parameter.name, message)


def _is_optional(parameter: Parameter) -> bool:
    if parameter.required or parameter.kind in MANY or parameter.name.startswith("_"):
        return False
    return parameter.default.rpartition(".")[2] != parameter.name


def _omits(caller: Caller) -> bool:
    return caller.passing is Passing.OMITS


def _message(function: Symbol, parameter: Parameter, count: int) -> str:
    name = shown(function)
    default = parameter.default if parameter.default != "..." else "its default"
    start = (
        f"the only call of `{name}` does not pass"
        if count == 1
        else f"none of the {count} calls of `{name}` passes"
    )
    return f"{start} `{parameter.name}`: it is always {default}"
