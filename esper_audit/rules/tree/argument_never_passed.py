"""The rule `argument-never-passed`: an optional argument that no call passes, and that decides a branch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.records import MANY, Parameter
from esper_audit.source.idioms.branches.branch_analysis import BranchWalk, Constant
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.parameter_excuses import is_copied, is_declared_unused
from esper_audit.source.usage.signatures import (
    KINDS,
    count_parameters,
    display_name,
    has_only_internal_callers,
)
from esper_audit.source.usage.tree import Tree

TEMPLATE = 2  # as many functions of one name with one parameter are written to a pattern, or copied


class ArgumentNeverPassed(TreeRule):
    """A switch that nobody turns.

    What: a parameter with a default, of a function that the tree calls, that every call leaves out,
    where an `if` or a conditional expression of the body is decided by that default; calls in tests
    count as calls.

    Why: it is a constant that looks like a choice. The branch that its other values lead to is not
    exercised by anything, is kept up to date for nothing, and is believed to work.

    Quiet: defaults that decide no branch: a tolerance, a number of retries or a template's field is a
    constant with a name; functions that somebody outside the tree may call: exported, public in a
    library, entry points, registered by a decorator, overrides and what is overridden, hooks of bases;
    functions and classes used as values (callbacks, tables) or spelled in strings; a call with `*args`,
    `**kwargs` or `partial` that may pass it, and one of a method by that name on an object not known;
    names with a leading underscore; a parameter that two functions of one name share: they are written
    to a pattern; a public function that programs around its package call; a parameter that the function
    says is deprecated or ignored; a function that is said to be copied or adapted from elsewhere.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "48 of 50 read were right (12 packages)"

    VALID = (
        ValidTree("passed by one", {"a.py": "def _f(x, eps=0):\n    return x if eps else -x\n\n\n_f(1)\n_f(1, 2)\n"}),
        ValidTree(
            "passed by a test",
            {
                "a.py": "def _f(x, eps=0):\n    return x if eps else -x\n\n\n_f(1)\n",
                "tests/test_a.py": "from a import _f\n\n\ndef test_f():\n    assert _f(1, eps=2)\n",
            },
        ),
        ValidTree("public in a library", {"a.py": "def f(x, eps=0):\n    return x if eps else -x\n\n\nf(1)\n"}),
        ValidTree("never called", {"a.py": "def _f(x, eps=0):\n    return x if eps else -x\n"}),
        ValidTree(
            "may be in kwargs",
            {"a.py": "def _f(x, eps=0):\n    return x if eps else -x\n\n\ndef g(**kw):\n    return _f(1, **kw)\n"},
        ),
        ValidTree(
            "a callback too",
            {"a.py": "def _f(x, eps=0):\n    return x if eps else -x\n\n\n_f(1)\nrun(_f)\n"},
        ),
        ValidTree(
            "a name bound early",
            {"a.py": "k = 1\n\n\ndef _f(x, k=k):\n    return x if k else -x\n\n\n_f(1)\n"},
        ),
        ValidTree(
            "a constant with a name",
            {"a.py": "def _f(xs, most=3):\n    return xs[:most] if len(xs) > most else xs\n\n\n_f([1])\n"},
        ),
        ValidTree(
            "a field of a template",
            {
                "a.py": "def _cfg(width, pool='avg', window=None):\n"
                "    return dict(width=width, pool=pool, window=window)\n\n\nSMALL = _cfg(1)\nLARGE = _cfg(2)\n"
            },
        ),
        ValidTree(
            "bound again before it is asked",
            {"a.py": "def _f(x, first=None):\n    first = x[0]\n    return 1 if first is None else 2\n\n\n_f([1])\n"},
        ),
        ValidTree(
            "a state of a loop",
            {
                "a.py": "def _f(xs, last=None):\n    for x in xs:\n        if last is not None:\n"
                "            print(last)\n        last = x\n\n\n_f([1])\n"
            },
        ),
        ValidTree(
            "said to be ignored",
            {
                "a.py": "import warnings\n\n\ndef _f(x, devices=''):\n    if devices:\n"
                "        warnings.warn(f'{devices} is deprecated and ignored')\n    return x\n\n\n_f(1)\n"
            },
        ),
        ValidTree(
            "a public function that scripts around the package call",
            {
                "lib/_devices.py": "def device(text=False):\n    return 'cpu' if text else Device('cpu')\n",
                "recipes/train.py": "from lib._devices import device\n\ndevice()\n",
            },
        ),
        ValidTree(
            "two of a pattern",
            {
                f"{name}.py": f"def _envs(full=True):\n    return {name} if full else 0\n\n\n_envs()\n"
                for name in ("gym", "suite")
            },
        ),
        ValidTree(
            "adapted from elsewhere",
            {
                "a.py": "def _f(x, eps=0):\n    '''Adapted from lib.'''\n    return x if eps else -x\n\n\n_f(1)\n"
            },
        ),
        ValidTree(
            "kept as it is elsewhere",
            {
                "a.py": "# Copied from lib.f\ndef _f(x, eps=0):\n    return x if eps else -x\n\n\n_f(1)\n"
            },
        ),
        ValidTree(
            "a default that is not a constant",
            {
                "a.py": "import b\n\n\ndef _f(x, way=b.WAY):\n    return x if way == 1 else -x\n\n\n_f(1)\n"
            },
        ),
        ValidTree(
            "a method of a class that is passed on",
            {
                "a.py": "class _A:\n    def __init__(self, eps=0):\n        self.eps = 1 if eps else 2\n\n\n_A()\n"
                "build(kind=_A)\n"
            },
        ),
        ValidTree(
            "an override",
            {
                "a.py": "class A:\n    def _f(self, eps=0):\n        return 1 if eps else 2\n\n    def g(self):\n"
                "        return self._f()\n\n\nclass B(A):\n    def _f(self, eps=0):\n        return 1\n"
            },
        ),
        ValidTree(
            "passed to an object of unknown make",
            {
                "a.py": "class A:\n    def _f(self, eps=0):\n        return 1 if eps else 2\n\n    def g(self):\n"
                "        return self._f()\n",
                "b.py": "def h(a):\n    return a._f(eps=1)\n",
            },
        ),
        ValidTree(
            "passed by a subclass",
            {
                "a.py": "class _A:\n    def __init__(self, eps=0):\n        self.eps = 1 if eps else 2\n\n\n"
                "class _B(_A):\n    def __init__(self):\n        super().__init__(eps=1)\n\n\n_A()\n"
            },
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "two calls leave it out",
            {
                "a.py": "def _f(x, eps=None):\n    if eps is not None:\n        x = x + eps\n    return x\n",
                "b.py": "import a\n\na._f(1)\na._f(2)\n",
            },
            (("a.py", 1, "none of the 2 calls of `_f` passes `eps`, so `eps is not None` is always false"),),
        ),
        InvalidTree(
            "a local function",
            {
                "a.py": "def f(x):\n    def g(y, twice=False):\n        return y * 2 if twice else y\n\n"
                "    return g(x)\n"
            },
            (("a.py", 2, "the only call of `f.g` does not pass `twice`, so `twice` is always false"),),
        ),
        InvalidTree(
            "the constructor of a private class",
            {
                "a.py": "class _A:\n    def __init__(self, x, way='left'):\n"
                "        self.x = x if way == 'left' else -x\n\n\n_A(1)\n_A(x=2)\n"
            },
            (("a.py", 2, "none of the 2 calls of `_A` passes `way`, so `way == 'left'` is always true"),),
        ),
        InvalidTree(
            "set to its real default",
            {
                "a.py": "def _f(v, divisor, least=None):\n    if least is None:\n        least = divisor\n"
                "    return max(least, v)\n\n\n_f(1, 2)\n"
            },
            (("a.py", 1, "the only call of `_f` does not pass `least`, so `least is None` is always true"),),
        ),
    )  # fmt: skip

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the optional parameters that all calls leave out, where that decides a branch."""
        peers = count_parameters(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            optional = {
                p.name: p.default
                for p in tree.index.definition(function).parameters
                if _is_optional(p) and peers[function.short, p.name] < TEMPLATE
            }
            if not optional or not has_only_internal_callers(tree, function):
                continue
            answers = {name: tree.index.callers(function, name) for name in optional}
            known = {
                name: optional[name]
                for name in optional
                if _is_never_passed(answers[name]) and not _is_used_around(function, answers[name])
            }
            for name, constant in _decided(tree, function, known).items():
                answer = answers[name]
                if answer.is_complete:
                    message = _message(function, name, len(answer.items), constant)
                    yield tree.at_parameter(function, name, message)
                else:
                    yield tree.undecided(function, answer)


def _is_optional(parameter: Parameter) -> bool:
    if parameter.required or parameter.kind in MANY or parameter.name.startswith("_"):
        return False
    return _is_literal(parameter.default)


def _is_literal(text: str) -> bool:
    try:
        return ast.literal_eval(text) is not ...
    except (ValueError, SyntaxError):
        return False


def _is_never_passed(answer: QueryResult[Caller]) -> bool:
    """Return whether there are calls that are not of tests alone, and none of them passes it."""
    return all(caller.passing is Passing.OMITS for caller in answer.items) and any(
        caller.place.role is not Role.TEST for caller in answer.items
    )


def _is_used_around(function: Symbol, answer: QueryResult[Caller]) -> bool:
    """Return whether programs around a package call a public function of it: others may, too."""
    home = function.path.partition("/")[0]
    callers = (caller.place for caller in answer.items if caller.place.role is not Role.TEST)
    return not function.short.startswith("_") and any(
        place.path.partition("/")[0] != home for place in callers
    )


def _decided(tree: Tree, function: Symbol, known: dict[str, str]) -> dict[str, Constant]:
    """Return the first condition of a body that each default decides, by parameter."""
    node = tree.function(function) if known else None
    if node is None or is_copied(tree, function):
        return {}
    text = tree.text(function)
    start = ConditionFacts(
        values={name: (frozenset({default}), name) for name, default in known.items()}
    )
    found: dict[str, Constant] = {}
    for constant in BranchWalk(node, lambda _: "", start).found:
        name = constant.known.reason
        if name in known and not is_declared_unused(text, name):
            found.setdefault(name, constant)
    return found


def _message(function: Symbol, name: str, count: int, constant: Constant) -> str:
    called = display_name(function)
    start = (
        f"the only call of `{called}` does not pass"
        if count == 1
        else f"none of the {count} calls of `{called}` passes"
    )
    way = "true" if constant.known.truth else "false"
    return f"{start} `{name}`, so `{ast.unparse(constant.test)}` is always {way}"
