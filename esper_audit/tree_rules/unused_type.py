"""The rule `unused-type`: a type that nothing is said to be."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.class_family import ClassKind
from esper_audit.facts import DefinitionKind, Use
from esper_audit.finding import Category, NotAnalysed, Severity
from esper_audit.reference import Symbol
from esper_audit.tree import Tree
from esper_audit.tree_rule import InvalidTree, TreeRule, TreeViolation, ValidTree
from esper_audit.whole_objects import collects_subclasses

DESCRIBES = frozenset(
    {ClassKind.DATACLASS, ClassKind.NAMED_TUPLE, ClassKind.TYPED_DICT, ClassKind.ENUM}
    | {ClassKind.PROTOCOL, ClassKind.MODEL}
)
NO_USE = frozenset({Use.IMPORT, Use.EXPORT})
POINT = "from dataclasses import dataclass\n\n\n@dataclass\nclass Point:\n    x: int\n"


class UnusedType(TreeRule):
    """Nothing is of this type.

    What: a dataclass, NamedTuple, TypedDict, enum, Protocol or model, or a private class of any kind,
    that nothing in the tree calls, annotates with, derives from, reads or spells in a string; imports
    alone do not count.

    Why: a type is a promise about data. One that nothing carries misleads whoever reads it, and is
    kept up to date for nobody.

    Quiet: what a module or package offers (`__all__`, a package's `__init__`, a star import of one);
    classes with a decorator that may register them, with a base in the tree that collects its
    subclasses (`__init_subclass__`, `__subclasses__`, `issubclass`), with a metaclass, or nested in a class; tests,
    scripts and examples; entry points; a use whose owner is not known but has the name; a tree in
    which a file that holds the name could not be read.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4

    VALID = (
        ValidTree("a type in an annotation", {"a.py": f"{POINT}\n\ndef f(p: Point): ...\n"}),
        ValidTree("a quoted annotation", {"a.py": f"{POINT}\n\ndef f(p: 'list[Point]'): ...\n"}),
        ValidTree("a type that is called", {"a.py": POINT, "b.py": "import a\n\na.Point(1)\n"}),
        ValidTree(
            "used by tests alone",
            {"a.py": POINT, "tests/test_a.py": "from a import Point\n\nPoint(1)\n"},
        ),
        ValidTree("a base", {"a.py": f"{POINT}\n\nclass Space(Point): ...\n\n\nSpace(1)\n"}),
        ValidTree("exported", {"a.py": f"__all__ = ['Point']\n{POINT}"}),
        ValidTree(
            "offered by its package",
            {"p/__init__.py": "from .a import Point\n", "p/a.py": POINT},
        ),
        ValidTree(
            "offered by a star of its package",
            {"p/__init__.py": "from .a import *\n", "p/a.py": POINT},
        ),
        ValidTree("spelled in a string", {"a.py": POINT, "b.py": "KINDS = {'kind': 'a.Point'}\n"}),
        ValidTree(
            "asked for by name", {"a.py": POINT, "b.py": "import a\n\ngetattr(a, 'Point')\n"}
        ),
        ValidTree(
            "a member used", {"a.py": "import enum\n\n\nclass E(enum.Enum):\n    A = 1\n\n\nE.A\n"}
        ),
        ValidTree(
            "registered by a decorator", {"a.py": "@register('x')\n@dataclass\nclass Point: ...\n"}
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
        ValidTree("a public class of no such kind", {"a.py": "class Net: ...\n"}),
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
            {"a.py": POINT, "b.py": "def f(m):\n    return m.Point(1)\n"},
        ),
        ValidTree(
            "under another name",
            {"a.py": f"{POINT}\n\nSpot = Point\n", "b.py": "from a import Spot\n\nSpot(1)\n"},
        ),
    )
    INVALID = (
        InvalidTree(
            "a dataclass that nothing makes",
            {"a.py": POINT, "b.py": "from a import Point\n\nx = 1\n"},
            (("a.py", 5, "nothing is a `Point`: this dataclass is defined and never used"),),
        ),
        InvalidTree(
            "a typed dict and a private class",
            {
                "a.py": "from typing import TypedDict\n\n\nclass Row(TypedDict):\n    x: int\n\n\nclass _Old: ...\n"
            },
            (
                ("a.py", 4, "nothing is a `Row`: this typed-dict is defined and never used"),
                ("a.py", 8, "nothing is a `_Old`: this class is defined and never used"),
            ),
        ),
        InvalidTree(
            "a type that only its own body names",
            {
                "a.py": "from typing import NamedTuple\n\n\nclass Node(NamedTuple):\n    next: 'Node'\n"
            },
            (("a.py", 4, "nothing is a `Node`: this named-tuple is defined and never used"),),
        ),
        InvalidTree(
            "an unrelated class of the same name is used",
            {"a.py": POINT, "b.py": "class Point: ...\n\n\nPoint()\n"},
            (("a.py", 5, "nothing is a `Point`: this dataclass is defined and never used"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the types of production code that nothing uses."""
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            if not self._is_meant(tree, symbol):
                continue
            answer = tree.index.references(symbol)
            if any(
                _is_use(reference.use, reference.place.symbol, symbol) for reference in answer.items
            ):
                continue
            if tree.index.exported(symbol) or symbol.name in tree.entry_points:
                continue
            if not answer.is_complete:
                yield tree.undecided(symbol, answer)
                continue
            kind = symbol.class_kind if symbol.class_kind in DESCRIBES else "class"
            message = f"nothing is a `{symbol.short}`: this {kind} is defined and never used"
            yield tree.at_symbol(symbol, message)

    def _is_meant(self, tree: Tree, symbol: Symbol) -> bool:
        """Say whether a class describes data or is private, and nothing but the tree can know of it."""
        describes = symbol.class_kind in DESCRIBES
        if not (describes or symbol.is_private) or "." in symbol.symbol:
            return False
        definition = tree.index.definition(symbol)
        made_by = 1 if symbol.class_kind is ClassKind.DATACLASS else 0
        if len(definition.decorators) > made_by or "metaclass" in "".join(definition.keywords):
            return False
        return not any(
            collects_subclasses(tree, base) for base in tree.index.resolver.kin.order(symbol.key)
        )


def _is_use(use: Use, place: str, symbol: Symbol) -> bool:
    inside = place == symbol.symbol or place.startswith(f"{symbol.symbol}.")
    return use not in NO_USE and not inside
