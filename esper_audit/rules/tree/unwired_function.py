"""The rule `unwired-function`: a function that nothing but itself and its tests reaches."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.escapes import has_escaping_object
from esper_audit.source.usage.reachability import (
    MODULE_LEVEL,
    NO_USE,
    discard_reachable,
    running_function,
    users,
)
from esper_audit.source.usage.signatures import KINDS
from esper_audit.source.usage.tree import Tree

APPLICATION = "[project.scripts]\napp = 'app.cli:main'\n"
CLI = "def main():\n    return 0\n"
# What somebody calls by hand, for a while, and takes out again.
BY_HAND = re.compile(r"debug", re.IGNORECASE)


class UnwiredFunction(TreeRule):
    """A function that nothing reaches.

    What: a function or method of production code that no other code calls, reads, decorates with or
    spells in a string, nor code that is reached itself; tests and bare imports do not count.

    Why: it looks like part of the program. Somebody wrote and tested it, and believes that it runs.

    Quiet: what the packaging names; what is exported or, unless its package only serves a script,
    public: a user of the library may call it, as he may the public methods of an object of whatever
    class, and what has a docstring and a public name in a private module; what says that it is kept
    for compatibility, or is there for debugging; decorators that may register; overrides, protocols,
    abstract methods, methods that a base outside the tree may call, or that a mixin has for such a
    base; dunder methods and names that frameworks call (`pytest_...`); stubs; names that code puts
    together (`getattr(self, f"visit_{kind}")`), or that documentation, configuration or a longer
    string spells; methods of an object that is given to code outside the tree; a method of a class
    that nobody uses, and a function inside one that is reported; a use whose owner is not known but
    has the name, or is an object of another class that has such a method too.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = "96 of 100 read were right (34 packages)"

    VALID = (
        ValidTree("called", {"a.py": "def _f():\n    return 1\n\n\nX = _f()\n"}),
        ValidTree("in a table", {"a.py": "def _f():\n    return 1\n\n\nTABLE = {'f': _f}\n"}),
        ValidTree("public in a library", {"p/__init__.py": "", "p/a.py": "def f():\n    return 1\n"}),
        ValidTree(
            "exported by an application",
            {
                "pyproject.toml": APPLICATION,
                "app/__init__.py": "",
                "app/b/__init__.py": "__all__ = ['f']\nfrom app.b.a import f\n",
                "app/b/a.py": "def f():\n    return 1\n",
            },
        ),
        ValidTree(
            "public in a library that comes with a script",
            {
                "pyproject.toml": APPLICATION,
                "app/__init__.py": "from app.a import A\n",
                "app/a.py": "class A: ...\n\n\ndef f():\n    return 1\n",
            },
        ),
        ValidTree(
            "kept for users of earlier versions",
            {"a.py": "def _f():\n    # compatibility: old pickles name it\n    return 1\n"},
        ),
        ValidTree(
            "a public method that classes of a library inherit from a private one",
            {
                "p/__init__.py": "from .a import B\n",
                "p/a.py": "class _A:\n    def f(self):\n        return 1\n\n\nclass B(_A): ...\n\n\nB()\n",
            },
        ),
        ValidTree(
            "a public method of a private object of a library",
            {
                "p/__init__.py": "",
                "p/a.py": "class _Bar:\n    def lock(self):\n        return 1\n\n\nbar = _Bar()\n",
            },
        ),
        ValidTree(
            "a public method of a class inside a function of a library",
            {
                "a.py": "class _A:\n    def __init__(self):\n        class B:\n            def f(self):\n"
                "                return 1\n\n        self.b = B()\n\n\na = _A()\n"
            },
        ),
        ValidTree(
            "a mixin that overrides what its neighbour calls",
            {
                "a.py": "class _Mixin:\n    def _f(self):\n        return 1\n\n\nclass A:\n    def _f(self):\n"
                "        return 2\n\n    def g(self):\n        return self._f()\n\n\n"
                "class B(_Mixin, A): ...\n\n\nB().g()\n"
            },
        ),
        ValidTree(
            "a mixin for a base outside",
            {
                "a.py": "import lib\n\n\nclass _Mixin:\n    def _f(self):\n        return 1\n\n\n"
                "class B(_Mixin, lib.Base): ...\n\n\nB()\n"
            },
        ),
        ValidTree(
            "an override in a class that is given its own name again",
            {
                "a.py": "class A:\n    def _f(self): ...\n\n    def g(self):\n        self._f()\n\n\n"
                "class B(A):\n    def _f(self):\n        return 1\n\n\nB = B\nB().g()\n"
            },
        ),
        ValidTree(
            "in a private module that its package shows",
            {
                "p/__init__.py": "from p._draw import plot\n",
                "p/_draw/__init__.py": "",
                "p/_draw/plot.py": "def bars(x):\n    return _bar(x)\n\n\ndef _bar(x):\n    return x\n",
            },
        ),
        ValidTree(
            "asked for by a notebook",
            {"a.py": "class A:\n    def _repr_html_(self):\n        return self._rows()\n\n"
             "    def _rows(self):\n        return 1\n\n\nA()\n"},
        ),
        ValidTree(
            "there for debugging",
            {"a.py": "def _dump(x):\n    'Save x; a debugging aid.'\n    return x\n"},
        ),
        ValidTree(
            "documented in a private module of a library",
            {"p/__init__.py": "", "p/_a.py": "def f(x):\n    'Return one.'\n    return 1\n"},
        ),
        ValidTree(
            "called by what is kept for others",
            {
                "a.py": "def _f():\n    return 1\n\n\ndef _g():\n    # deprecated\n    return _f()\n"
            },
        ),
        ValidTree(
            "an object of another class stands in for it",
            {
                "a.py": "class A:\n    def _f(self):\n        return 1\n\n\nclass B:\n    def _f(self):\n"
                "        return 2\n\n\ndef g(x: A):\n    return x._f(), B\n\n\ng(A())\n"
            },
        ),
        ValidTree(
            "an entry point",
            {"pyproject.toml": APPLICATION, "app/__init__.py": "", "app/cli.py": CLI},
        ),
        ValidTree("registered", {"a.py": "@register('f')\ndef _f():\n    return 1\n"}),
        ValidTree("a stub", {"a.py": "def _f():\n    raise NotImplementedError\n"}),
        ValidTree(
            "a hook of a base outside",
            {"a.py": "import lib\n\n\nclass A(lib.Base):\n    def _hook(self):\n        return 1\n"},
        ),
        ValidTree(
            "a hook of torch",
            {
                "a.py": "from torch import nn\n\n\nclass A(nn.Module):\n"
                "    def _load_from_state_dict(self, state):\n        return state\n\n\nA()\n"
            },
        ),
        ValidTree(
            "an override",
            {
                "a.py": "class A:\n    def _f(self): ...\n\n    def g(self):\n        self._f()\n\n\n"
                "class B(A):\n    def _f(self):\n        return 1\n\n\nB().g()\n"
            },
        ),
        ValidTree(
            "a name put together",
            {
                "a.py": "class A:\n    def _go_left(self):\n        return 1\n\n    def go(self, way):\n"
                "        return getattr(self, f'_go_{way}')()\n\n\nA().go('left')\n"
            },
        ),
        ValidTree(
            "an object of unknown make has a method of that name",
            {"a.py": "class A:\n    def _f(self):\n        return 1\n\n\nA()\n", "b.py": "def f(x):\n    x._f()\n"},
        ),
        ValidTree(
            "named in the documentation",
            {"a.py": "def _f():\n    return 1\n", "docs/use.md": "Call `a._f()` first.\n"},
        ),
        ValidTree(
            "named in a configuration",
            {"a.py": "def _f():\n    return 1\n", "conf/run.yaml": "step: a._f\n"},
        ),
        ValidTree(
            "in code that is a string",
            {"a.py": "def _f():\n    return 1\n", "b.py": "RUN = 'import a; a._f(1)'\n"},
        ),
        ValidTree(
            "a method of an object that code outside is given",
            {
                "pyproject.toml": APPLICATION,
                "app/__init__.py": "",
                "app/cli.py": "import sys\n\n\nclass Quiet:\n    def write(self, text):\n        return 0\n\n\n"
                "def main():\n    sys.stdout = Quiet()\n",
            },
        ),
        ValidTree(
            "called on what a base outside makes",
            {
                "a.py": "from torch.optim import Optimizer\n\n\nclass Slow(Optimizer):\n    def _swap(self):\n"
                "        return 1\n\n\ndef f(x):\n    if isinstance(x, Optimizer):\n        x._swap()\n\n\n"
                "f(Slow())\n"
            },
        ),
        ValidTree(
            "called by a script",
            {"a.py": "def _f():\n    return 1\n", "scripts/run.py": "import a\n\na._f()\n"},
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "nothing mentions it",
            {"a.py": "def _f():\n    return 1\n"},
            (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
        ),
        InvalidTree(
            "tests alone",
            {
                "a.py": "def _f():\n    return 1\n",
                "tests/test_a.py": "from a import _f\n\n\ndef test_f():\n    assert _f()\n",
            },
            (("a.py", 1, "only tests reach `_f`: the program never does"),),
        ),
        InvalidTree(
            "itself and another that nothing reaches",
            {"a.py": "def _f(n):\n    return n and _f(n - 1)\n\n\ndef _g():\n    return _f(1)\n"},
            (
                ("a.py", 1, "only `_g` reaches `_f`, and nothing reaches that"),
                ("a.py", 5, "nothing reaches `_g`: it is defined and never used"),
            ),
        ),
        InvalidTree(
            "imported and left there",
            {"a.py": "def _f():\n    return 1\n", "b.py": "from a import _f\n"},
            (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
        ),
        InvalidTree(
            "public in an application",
            {
                "pyproject.toml": APPLICATION,
                "app/__init__.py": "",
                "app/cli.py": f"{CLI}\n\ndef never():\n    return 1\n",
            },
            (("app/cli.py", 5, "nothing reaches `never`: it is defined and never used"),),
        ),
        InvalidTree(
            "named in what the audit wrote itself",
            {"a.py": "def _f():\n    return 1\n", "tickets/x.yaml": "symbol: _f\n"},
            (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
        ),
        InvalidTree(
            "a private method of a module that is used",
            {
                "a.py": "from torch import nn\n\n\nclass A(nn.Module):\n    def forward(self, x):\n"
                "        return x\n\n    def _init(self):\n        return 1\n\n\nA()\n"
            },
            (("a.py", 8, "nothing reaches `A._init`: it is defined and never used"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the functions that no root leads to."""
        functions = {f.key: f for f in tree.in_scope(tree.index.all_symbols(KINDS))}
        reached_from = {f.key: _reached_from(tree, f) for f in functions.values()}
        unwired = _unwired(tree, functions, reached_from)
        for key in sorted(unwired):
            function = functions[key]
            if self._is_said_otherwise(tree, function, unwired):
                continue
            answer = tree.index.references(function)
            if answer.is_complete:
                yield tree.at_symbol(function, _message(tree, function, reached_from[key]))
            else:
                yield tree.undecided(function, answer)

    def _is_said_otherwise(self, tree: Tree, function: Symbol, unwired: set[str]) -> bool:
        """Return whether what is around it is never used itself, or does nothing that could be missed."""
        if tree.index.definition(function).stub:
            return True
        around = function.key.rpartition(".")[0]
        owner = tree.external_callers.owner(function)
        if owner is None:
            return around in unwired
        return all(
            hit.use in NO_USE or hit.is_inside(owner) for hit in tree.reference_table.of(owner)
        )


def _reached_from(tree: Tree, function: Symbol) -> set[str]:
    """Return the keys of the functions that use one; tests do not count, scripts run by themselves."""
    return {
        running_function(hit) if hit.role is Role.PRODUCTION else MODULE_LEVEL
        for hit in users(tree, function)
        if hit.role is not Role.TEST
    }


def _unwired(
    tree: Tree, functions: dict[str, Symbol], reached_from: dict[str, set[str]]
) -> set[str]:
    """Return the keys that nothing leads to: neither code that runs by itself nor what is run from outside."""
    leads_to: dict[str, set[str]] = defaultdict(set)
    for key, sources in reached_from.items():
        for source in sources:
            leads_to[source if source in functions else MODULE_LEVEL].add(key)
    left = set(functions)
    discard_reachable(leads_to[MODULE_LEVEL], leads_to, left)
    for key in sorted(left):
        if key in left and _may_run(tree, functions[key]):
            discard_reachable({key}, leads_to, left)
    return left


def _may_run(tree: Tree, function: Symbol) -> bool:
    """Return whether something may run a function that no mention tells of."""
    if tree.external_callers.may_run(function) or tree.dynamic_names.may_mean(function.short):
        return True
    if tree.text_mentions.has(function.short) or _is_kept(tree, function):
        return True
    if function.short.startswith("_"):
        return False
    owner = tree.external_callers.owner(function)
    if tree.external_callers.is_of_library(function):
        return owner is not None or tree.index.definition(function).documented
    return owner is not None and has_escaping_object(tree, owner)


def _is_kept(tree: Tree, function: Symbol) -> bool:
    """Return whether a function says that it is there for users of earlier versions, or to debug with."""
    if tree.external_callers.is_kept_for_compatibility(tree.text(function)):
        return True
    node = tree.function(function)
    documented = ast.get_docstring(node) if node is not None else None
    return BY_HAND.search(f"{function.short} {documented or ''}") is not None


def _message(tree: Tree, function: Symbol, sources: set[str]) -> str:
    name = function.symbol
    if sources:
        first = min(sources).rpartition(":")[2]
        return f"only `{first}` reaches `{name}`, and nothing reaches that"
    in_tests = any(
        hit.role is Role.TEST and hit.use not in NO_USE for hit in tree.reference_table.of(function)
    )
    if in_tests:
        return f"only tests reach `{name}`: the program never does"
    return f"nothing reaches `{name}`: it is defined and never used"
