"""The rule `field-never-set`: a field that is always what its default says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.reflective_access import data_fields, has_reflective_access
from esper_audit.source.usage.tree import Tree

WRITES = frozenset({Use.WRITE, Use.DELETE, Use.STRING})
KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL, ClassKind.NAMED_TUPLE})
POINT = "from dataclasses import dataclass, replace\n\n\n@dataclass\nclass _Point:\n    x: int\n    y: int = 0\n\n\n"
USE = "def f():\n    return _Point(1).y\n"
SAID = "nothing ever sets `_Point.y`: it is what its default says, everywhere"


class FieldNeverSet(TreeRule):
    """A field with a default that nothing ever sets.

    What: a field with a constant for its default, of a dataclass, model or named tuple that is made
    somewhere in the tree, that no construction passes, no `replace` names and nothing assigns.

    Why: it looks like a choice, is passed around and branched on, and has one value.

    Quiet: classes that a package offers, or a library has in public: its users set it; fields with a private
    name; constructions with `*args` or `**kwargs`; a class that is passed on
    as a value, has a base outside the tree, or stands in or is used in a file with a word for taking objects
    apart or putting them together; fields of the same name that something assigns; tests that set it.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "it found nothing in 30 packages: most offer their classes"

    VALID = (
        ValidTree("passed by name", {"a.py": POINT + USE.replace("(1)", "(1, y=2)")}),
        ValidTree("passed by position", {"a.py": POINT + USE.replace("(1)", "(1, 2)")}),
        ValidTree(
            "set by a test",
            {"a.py": POINT + USE, "tests/test_a.py": "from a import _Point\n_Point(1, 2)\n"},
        ),
        ValidTree("assigned", {"a.py": POINT + USE + "def g(p):\n    p.y = 3\n"}),
        ValidTree("replaced", {"a.py": POINT + USE + "def g(p):\n    return replace(p, y=3)\n"}),
        ValidTree(
            "replaced in a named tuple",
            {
                "a.py": "from typing import NamedTuple\n\n\nclass _Point(NamedTuple):\n    x: int\n    y: int = 0\n\n\n"
                + USE
                + "def g(p):\n    return p._replace(x=h(1), y=3)\n"
            },
        ),
        ValidTree(
            "perhaps forwarded",
            {"a.py": POINT + "def f(**given):\n    return _Point(1, **given)\n"},
        ),
        ValidTree("never made here", {"a.py": POINT}),
        ValidTree(
            "a choice that users of a library have",
            {"p/__init__.py": "", "p/a.py": (POINT + USE).replace("_P", "P")},
        ),
        ValidTree(
            "a constant of the class",
            {"a.py": POINT.replace("y: int", "_y: int") + USE.replace(".y", "._y")},
        ),
        ValidTree(
            "a list that is filled later",
            {"a.py": POINT.replace("y: int = 0", "y: list = field(default_factory=list)") + USE},
        ),
        ValidTree("a field without default", {"a.py": POINT.replace("y: int = 0", "y: int") + USE}),
    )
    INVALID = (
        InvalidTree(
            "a class of its own has an attribute of that name",
            {
                "a.py": POINT + USE + "class Other:\n    def __init__(self):\n        self.y = 1\n",
            },
            (("a.py", 7, SAID),),
        ),
        InvalidTree(
            "a field of a named tuple",
            {
                "a.py": "from typing import NamedTuple\n\n\nclass _Point(NamedTuple):\n    x: int\n    y: int = 0\n\n\n"
                + USE
            },
            (("a.py", 6, SAID),),
        ),
        InvalidTree("always the default", {"a.py": POINT + USE}, (("a.py", 7, SAID),)),
        InvalidTree(
            "a name of the same word where a string is replaced",
            {"a.py": POINT + USE + "def g(text):\n    y = text.replace('a', 'b')\n    return y\n"},
            (("a.py", 7, SAID),),
        ),
        InvalidTree(
            "in another file as well",
            {"a.py": POINT, "b.py": "from a import _Point\n\nprint(_Point(x=1).y)\n"},
            (("a.py", 7, SAID),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields that every construction leaves alone."""
        replacing = _texts_that_replace(tree)
        for field, owner in data_fields(tree, KINDS):
            if not _is_choice(tree, field) or tree.external_callers.is_public_api(owner):
                continue
            made = _constructions(tree, owner, field.short)
            if not made.items or any(c.passing is not Passing.OMITS for c in made.items):
                continue
            if _is_replaced(replacing, field) or has_reflective_access(tree, owner):
                continue
            if not made.is_complete:
                yield tree.undecided(field, made)
            else:
                name = f"{owner.short}.{field.short}"
                message = f"nothing ever sets `{name}`: it is what its default says, everywhere"
                yield tree.at_symbol(field, message)


def _is_choice(tree: Tree, field: Symbol) -> bool:
    """Return whether a field is there for callers to set, and nothing sets it later."""
    if field.short.startswith("_") or not tree.index.definition(field).literal:
        return False
    return not any(hit.use in WRITES for hit in tree.reference_table.of(field))


def _constructions(tree: Tree, owner: Symbol, field: str) -> QueryResult[Caller]:
    """Return the calls of a class and of what derives from it."""
    below = map(tree.index.of_key, tree.index.resolver.hierarchy.subclasses(owner.key))
    answers = [tree.index.callers(made, field) for made in (owner, *below)]
    problems = {problem for answer in answers for problem in answer.not_looked_at}
    return QueryResult([caller for answer in answers for caller in answer.items], sorted(problems))


def _texts_that_replace(tree: Tree) -> list[str]:
    paths = {mention.place.path for mention in tree.index.mentions("replace").items}
    paths |= {mention.place.path for mention in tree.index.mentions("_replace").items}
    sources = (tree.source(path) for path in sorted(paths))
    return [source.text for source in sources if source is not None]


def _is_replaced(texts: list[str], field: Symbol) -> bool:
    """Return whether a call of `replace` names a field, or passes what cannot be seen."""
    named = re.compile(rf"replace\((?:[^()]|\([^()]*\))*?\b{re.escape(field.short)}\s*=")
    return any(named.search(text) for text in texts)
