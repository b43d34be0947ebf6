"""The rule `field-never-read`: a field of a data class that nothing looks at."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.class_family import ClassKind
from esper_audit.finding import Category, NotAnalysed, Severity
from esper_audit.tree import Tree
from esper_audit.tree_rule import InvalidTree, TreeRule, TreeViolation, ValidTree
from esper_audit.whole_objects import data_fields, is_taken_apart

KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL})
POINT = (
    "from dataclasses import dataclass\n\n\n@dataclass\nclass Point:\n    x: int\n    y: int\n\n\n"
)
USE = "def f():\n    p = Point(1, 2)\n    return p.x\n"
SAID = "`Point.y` is filled and never read"


class FieldNeverRead(TreeRule):
    """A field is filled, and nothing reads it.

    What: a field of a dataclass or model whose name nothing in the tree reads, as an attribute of
    whatever object, as a name, or spelled in a string.

    Why: every caller has to make up a value for it, and whoever changes it believes to change something.

    Quiet: classes that a package offers; a class that is passed on as a value, has a base outside the
    tree, or stands in or is used in a file with a word for taking objects apart (`asdict`, `fields`, `vars`,
    `__dict__`, `encode`, `getattr`, ...); named tuples (unpacking reads them) and typed dicts; class
    variables; a name that anything else in the tree reads.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4

    VALID = (
        ValidTree("read as an attribute", {"a.py": POINT + USE.replace("p.x", "p.x + p.y")}),
        ValidTree(
            "taken apart",
            {"a.py": "from dataclasses import asdict\n" + POINT + USE + "asdict(f)\n"},
        ),
        ValidTree(
            "offered by its package", {"p/__init__.py": "from .a import Point\n", "p/a.py": POINT}
        ),
        ValidTree("passed on as a class", {"a.py": POINT + USE + "parse(Point)\n"}),
        ValidTree(
            "read of some other object", {"a.py": POINT + USE + "def g(q):\n    return q.y\n"}
        ),
        ValidTree("spelled in a string", {"a.py": POINT + USE + "NAMES = ['y']\n"}),
        ValidTree(
            "a named tuple is unpacked",
            {
                "a.py": "from typing import NamedTuple\n\n\nclass P(NamedTuple):\n    x: int\n\n\nP(1)\n"
            },
        ),
    )
    INVALID = (
        InvalidTree("filled and forgotten", {"a.py": POINT + USE}, (("a.py", 7, SAID),)),
        InvalidTree(
            "written once more",
            {"a.py": POINT + USE.replace("return p.x", "p.y = 3\n    return p.x")},
            (("a.py", 7, SAID),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields whose name nothing reads."""
        for field, owner in data_fields(tree, KINDS):
            answer = tree.index.readers(field.short)
            if answer.items or is_taken_apart(tree, owner):
                continue
            if not answer.is_complete:
                yield tree.undecided(field, answer)
            else:
                yield tree.at_symbol(
                    field, f"`{owner.short}.{field.short}` is filled and never read"
                )
