"""The rule `unused-type`: a type that nothing is said to be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Reference, Symbol
from esper_audit.source.usage.reflective_access import is_collecting_subclasses
from esper_audit.source.usage.tree import Tree

DESCRIBES = frozenset(
    {ClassKind.DATACLASS, ClassKind.NAMED_TUPLE, ClassKind.TYPED_DICT, ClassKind.ENUM}
    | {ClassKind.PROTOCOL, ClassKind.MODEL}
)
# Where bases are from that keep no list of what derives from them.
FORGETFUL = re.compile(r"(builtins|typing|typing_extensions|abc|enum|collections|msgspec|torch)\.")
# Stubs describe what runs elsewhere; templates are there to be copied.
OF_NO_USE = re.compile(r"\.pyi$|template")
# What other linters say of private types that nothing uses.
SAID_SO = re.compile(r"#\s*noqa:.*\b(PYI018|PYI046|PYI047|PYI049)\b")
NO_USE = frozenset({Use.IMPORT, Use.EXPORT})
POINT = "from dataclasses import dataclass\n\n\n@dataclass\nclass _Point:\n    x: int\n"


class UnusedType(TreeRule):
    """Nothing is of this type.

    What: a dataclass, NamedTuple, TypedDict, enum, Protocol, model or any other class, that nothing in
    the tree calls, annotates with, derives from, reads or spells in a string; imports alone do not count.

    Why: a type is a promise about data. One that nothing carries misleads whoever reads it, and is
    kept up to date for nobody.

    Quiet: what a module or package offers (`__all__`, a package's `__init__`, a star import of one), or,
    in a library, a public name: its users may take it, as they may one with a docstring in a private
    module; stub files and templates; what a `noqa` says to be unused on purpose; classes with a
    decorator that may register them, with a base in the tree that collects its subclasses
    (`__init_subclass__`, `__subclasses__`, `issubclass`), with a base of some other package, with a
    metaclass, or nested in a class; what says that it is kept for compatibility; tests, scripts and
    examples; entry points; names that documentation or configuration spells; a use whose owner is not
    known but has the name; a tree in which a file that holds the name could not be read.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = (
        "9 of 10 read were right (torchrl, mypy, libcst, narwhals, torchgen, pip; none in 18 more)"
    )

    VALID = (
        ValidTree("a type in an annotation", {"a.py": f"{POINT}\n\ndef f(p: _Point): ...\n"}),
        ValidTree("a quoted annotation", {"a.py": f"{POINT}\n\ndef f(p: 'list[_Point]'): ...\n"}),
        ValidTree("a type that is called", {"a.py": POINT, "b.py": "import a\n\na._Point(1)\n"}),
        ValidTree(
            "used by tests alone",
            {"a.py": POINT, "tests/test_a.py": "from a import _Point\n\n_Point(1)\n"},
        ),
        ValidTree("a base", {"a.py": f"{POINT}\n\nclass Space(_Point): ...\n\n\nSpace(1)\n"}),
        ValidTree("exported", {"a.py": f"__all__ = ['_Point']\n{POINT}"}),
        ValidTree(
            "offered by its package",
            {"p/__init__.py": "from .a import _Point\n", "p/a.py": POINT},
        ),
        ValidTree(
            "offered by a star of its package",
            {"p/__init__.py": "from ._a import *\n", "p/_a.py": POINT.replace("_P", "P")},
        ),
        ValidTree("spelled in a string", {"a.py": POINT, "b.py": "KINDS = {'kind': 'a._Point'}\n"}),
        ValidTree(
            "asked for by name", {"a.py": POINT, "b.py": "import a\n\ngetattr(a, '_Point')\n"}
        ),
        ValidTree(
            "a member used",
            {"a.py": "import enum\n\n\nclass _E(enum.Enum):\n    A = 1\n\n\n_E.A\n"},
        ),
        ValidTree(
            "registered by a decorator", {"a.py": "@register('x')\n@dataclass\nclass _Point: ...\n"}
        ),
        ValidTree(
            "collected by a base",
            {"a.py": "class B:\n    def __init_subclass__(cls): ...\n\n\nclass _C(B): ...\n"},
        ),
        ValidTree(
            "looked for among subclasses",
            {"a.py": "class B: ...\n\n\nclass _C(B): ...\n\n\nB.__subclasses__()\n"},
        ),
        ValidTree(
            "looked for in modules",
            {
                "a.py": "class B: ...\n\n\nclass _C(B): ...\n",
                "b.py": "from a import B\n\n\ndef f(v):\n    return issubclass(v, B)\n",
            },
        ),
        ValidTree("with a metaclass", {"a.py": "class _C(metaclass=Registry): ...\n"}),
        ValidTree(
            "documented in a private module of a library",
            {"p/__init__.py": "", "p/_a.py": "class Net:\n    'A net.'\n"},
        ),
        ValidTree(
            "said to be unused on purpose",
            {
                "a.py": "from typing import Protocol\n\n\nclass _Sized(Protocol):  # noqa: PYI046\n    x: int\n"
            },
        ),
        ValidTree("there to be copied", {"templates/net.py": "class _MyNet: ...\n"}),
        ValidTree("described in a stub", {"a.pyi": "class _Net: ...\n"}),
        ValidTree(
            "given to a class under its own name",
            {"a.py": "class _Stop(Exception): ...\n\n\nclass Session:\n    _Stop = _Stop\n"},
        ),
        ValidTree(
            "a public class of a library", {"p/__init__.py": "", "p/a.py": "class Net: ...\n"}
        ),
        ValidTree(
            "a public type of a library",
            {"p/__init__.py": "", "p/a.py": POINT.replace("_P", "P")},
        ),
        ValidTree(
            "named in the documentation",
            {"a.py": POINT, "README.md": "Make an `a._Point` first.\n"},
        ),
        ValidTree(
            "kept for users of earlier versions",
            {"a.py": "class _Old:\n    'Deprecated: old pickles name it.'\n"},
        ),
        ValidTree(
            "a base of another package, which may collect what derives from it",
            {"a.py": "import lib\n\n\nclass _Plugin(lib.Plugin): ...\n"},
        ),
        ValidTree("a class inside a class", {"a.py": "class Model:\n    class _Meta: ...\n"}),
        ValidTree("a type of the tests", {"tests/test_a.py": POINT}),
        ValidTree(
            "an entry of the package",
            {
                "a.py": "class _Plugin: ...\n",
                "pyproject.toml": "[project.scripts]\nx = 'a:_Plugin'\n",
            },
        ),
        ValidTree(
            "an object of unknown make with that name",
            {"a.py": POINT, "b.py": "def f(m):\n    return m._Point(1)\n"},
        ),
        ValidTree(
            "under another name",
            {"a.py": f"{POINT}\n\nSpot = _Point\n", "b.py": "from a import Spot\n\nSpot(1)\n"},
        ),
    )
    INVALID = (
        InvalidTree(
            "a public type of an application",
            {
                "pyproject.toml": "[project.scripts]\napp = 'app.cli:main'\n",
                "app/__init__.py": "",
                "app/cli.py": "def main():\n    return 0\n",
                "app/a.py": POINT.replace("_P", "P"),
            },
            (("app/a.py", 5, "nothing is a `Point`: this dataclass is defined and never used"),),
        ),
        InvalidTree(
            "a public class in a private module",
            {"p/__init__.py": "", "p/_a.py": "class Net: ...\n"},
            (("p/_a.py", 1, "nothing is a `Net`: this class is defined and never used"),),
        ),
        InvalidTree(
            "a dataclass that nothing makes",
            {"a.py": POINT, "b.py": "from a import _Point\n\nx = 1\n"},
            (("a.py", 5, "nothing is a `_Point`: this dataclass is defined and never used"),),
        ),
        InvalidTree(
            "a typed dict and a private class",
            {
                "a.py": "from typing import TypedDict\n\n\nclass _Row(TypedDict):\n    x: int\n\n\nclass _Old: ...\n"
            },
            (
                ("a.py", 4, "nothing is a `_Row`: this typed-dict is defined and never used"),
                ("a.py", 8, "nothing is a `_Old`: this class is defined and never used"),
            ),
        ),
        InvalidTree(
            "a type that only its own body names",
            {
                "a.py": "from typing import NamedTuple\n\n\nclass _Node(NamedTuple):\n    next: '_Node'\n"
            },
            (("a.py", 4, "nothing is a `_Node`: this named-tuple is defined and never used"),),
        ),
        InvalidTree(
            "an unrelated class of the same name is used",
            {"a.py": POINT, "b.py": "class _Point: ...\n\n\n_Point()\n"},
            (("a.py", 5, "nothing is a `_Point`: this dataclass is defined and never used"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the types of production code that nothing uses."""
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            if _is_public(tree, symbol) or not self._is_meant(tree, symbol):
                continue
            answer = tree.index.references(symbol)
            near = tree.index.mentions(symbol.short, under=symbol.path)
            if any(_is_use(reference, symbol) for reference in (*answer.items, *near.items)):
                continue
            if tree.text_mentions.has_beside(symbol.short):
                continue
            if not answer.is_complete:
                yield tree.undecided(symbol, answer)
                continue
            kind = symbol.class_kind if symbol.class_kind in DESCRIBES else "class"
            message = f"nothing is a `{symbol.short}`: this {kind} is defined and never used"
            yield tree.at_symbol(symbol, message)

    def _is_meant(self, tree: Tree, symbol: Symbol) -> bool:
        """Return whether nothing but the mentions of a class can use it: no base, decorator or metaclass."""
        if SAID_SO.search(tree.text(symbol).partition("\n")[0]):
            return False
        if "." in symbol.symbol or OF_NO_USE.search(symbol.path):
            return False
        if tree.external_callers.is_kept_for_compatibility(tree.text(symbol)):
            return False
        definition = tree.index.definition(symbol)
        made_by = 1 if symbol.class_kind is ClassKind.DATACLASS else 0
        if len(definition.decorators) > made_by or "metaclass" in definition.keywords:
            return False
        hierarchy = tree.index.resolver.hierarchy
        if not all(map(FORGETFUL.match, hierarchy.foreign_bases(symbol.key))):
            return False
        return not any(is_collecting_subclasses(tree, base) for base in hierarchy.order(symbol.key))


def _is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether something outside the tree may use a class: its packaging, or a user of the library."""
    if tree.external_callers.is_entry(symbol) or tree.external_callers.is_public_api(symbol):
        return True
    is_documented = tree.index.definition(symbol).documented and not symbol.is_private
    return is_documented and tree.external_callers.is_of_library(symbol)


def _is_use(reference: Reference, symbol: Symbol) -> bool:
    return reference.use not in NO_USE and not symbol.holds(reference.place)
