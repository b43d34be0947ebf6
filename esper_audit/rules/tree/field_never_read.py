"""The rule `field-never-read`: a field of a data class that nothing looks at."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reflective_access import data_fields, has_reflective_access
from esper_audit.source.usage.tree import Tree

KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL})
# What users of a library make for it to read; what else it offers, they read.
IS_TAKEN = re.compile(r"(Config|Configuration|Cfg|Arguments|Options|Settings|HParams)$")
READS = frozenset({Use.READ, Use.CALL, Use.STRING, Use.DELETE, Use.BASE, Use.DECORATOR})
POINT = (
    "from dataclasses import dataclass\n\n\n@dataclass\nclass _Point:\n    x: int\n    y: int\n\n\n"
)
USE = "def f():\n    p = _Point(1, 2)\n    return p.x\n"
SAID = "`_Point.y` is filled and never read"


class FieldNeverRead(TreeRule):
    """A field is filled, and nothing reads it.

    What: a field of a dataclass or model that nothing in the tree reads, of an object that may be of that
    class, or spelled in a string.

    Why: every caller has to make up a value for it, and whoever changes it believes to change something.

    Quiet: classes that a package offers, or a library has in public, but for those that are named as what
    its users fill for it (`...Config`, `...Options`, ...); a class that nothing uses, or of which less than
    a third of the fields are read; a model that is passed on as a value; a class that has a base outside
    the tree, or that stands, has a base, is used or has a base used in a file with a word for taking objects
    apart (`asdict`, `vars(`, `__dict__`, `getattr(x, name)`, `msgspec`, `_target_`, ...), and what stands in a
    field of such a class; named tuples (unpacking reads them) and typed dicts; class variables; a name that
    is read of an object of which nothing is known.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "38 of 38 read were right (timm, botorch, espnet, kornia and 3 more)"

    VALID = (
        ValidTree("read as an attribute", {"a.py": POINT + USE.replace("p.x", "p.x + p.y")}),
        ValidTree(
            "taken apart",
            {"a.py": "from dataclasses import asdict\n" + POINT + USE + "asdict(f)\n"},
        ),
        ValidTree(
            "offered by its package",
            {"p/__init__.py": "from .a import _Point\n", "p/a.py": POINT + USE},
        ),
        ValidTree(
            "a result that users of a library look at",
            {"p/__init__.py": "", "p/a.py": (POINT + USE).replace("_P", "P")},
        ),
        ValidTree(
            "nearly no field is read by name: something takes it whole",
            {"a.py": POINT + "def f():\n    return _Point(1, 2)\n"},
        ),
        ValidTree(
            "taken apart where its base is used",
            {
                "a.py": "class Shown: ...\n",
                "b.py": "from a import Shown\n"
                + (POINT + USE).replace("_Point:", "_Point(Shown):"),
                "c.py": "from a import Shown\n\n\ndef show(shown: Shown):\n    return vars(shown)\n",
            },
        ),
        ValidTree(
            "taken apart beside its base",
            {
                "a.py": "class Shown:\n    def show(self):\n        return self.__dict__\n",
                "b.py": "from a import Shown\n"
                + (POINT + USE).replace("_Point:", "_Point(Shown):"),
            },
        ),
        ValidTree(
            "made by something that reads all that it is told",
            {
                "a.py": (POINT + USE)
                .replace("_Point", "PointConfig")
                .replace("    y: int\n", "    y: int\n    _target_: str = 'a.make'\n")
            },
        ),
        ValidTree(
            "what a library fills for the hooks of its users",
            {
                "p/__init__.py": "",
                "p/a.py": (POINT + USE).replace("_Point", "HookArgs"),
            },
        ),
        ValidTree(
            "in a field of what is taken apart",
            {
                "a.py": POINT + USE,
                "b.py": "from a import _Point\nfrom dataclasses import dataclass\n\n\n@dataclass\n"
                "class _Line:\n    end: _Point\n",
                "c.py": "from b import _Line\nfrom dataclasses import asdict\n\nprint(asdict(_Line(0)))\n",
            },
        ),
        ValidTree("a type that nothing makes", {"a.py": POINT + "def f(p):\n    return p.x\n"}),
        ValidTree(
            "a model that is passed on as a schema",
            {
                "a.py": "from pydantic import BaseModel\n\n\nclass _Point(BaseModel):\n    x: int\n    y: int\n\n\n"
                + USE
                + "answer(_Point)\n"
            },
        ),
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
        InvalidTree(
            "a setting that a library asks for and forgets",
            {
                "p/__init__.py": "",
                "p/a.py": (POINT + "def f(p: _Point):\n    return p.x\n").replace(
                    "_Point", "PointConfig"
                ),
            },
            (("p/a.py", 7, SAID.replace("_Point", "PointConfig")),),
        ),
        InvalidTree("filled and forgotten", {"a.py": POINT + USE}, (("a.py", 7, SAID),)),
        InvalidTree(
            "read of an object of another class",
            {
                "a.py": POINT
                + USE
                + "class Other:\n    def __init__(self):\n        self.y = 1\n\n"
                + "    def f(self):\n        return self.y\n"
            },
            (("a.py", 7, SAID),),
        ),
        InvalidTree(
            "filled by a parser",
            {"a.py": POINT + USE + "parse(_Point)\n"},
            (("a.py", 7, SAID),),
        ),
        InvalidTree(
            "written once more",
            {"a.py": POINT + USE.replace("return p.x", "p.y = 3\n    return p.x")},
            (("a.py", 7, SAID),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields whose name nothing reads, of classes of which most are read."""
        fields: dict[Symbol, list[Symbol]] = defaultdict(list)
        for field, owner in data_fields(tree, KINDS):
            fields[owner].append(field)
        for owner, of_owner in fields.items():
            unread = [field for field in of_owner if not _may_be_read(tree, field)]
            if not unread or 3 * len(unread) > 2 * len(of_owner) or not _is_used_here(tree, owner):
                continue
            for field in unread:
                answer = tree.index.references(field, READS)
                if not answer.is_complete:
                    yield tree.undecided(field, answer)
                elif not answer.items:
                    name = f"{owner.short}.{field.short}"
                    yield tree.at_symbol(field, f"`{name}` is filled and never read")


def _may_be_read(tree: Tree, field: Symbol) -> bool:
    """Return whether a field is read of an object of its class, or of one that nothing is known of."""
    return any(hit.use in READS for hit in tree.reference_table.of(field))


def _is_used_here(tree: Tree, owner: Symbol) -> bool:
    """Return whether the tree uses the objects of a class, field by field, and no user of a library does."""
    if tree.external_callers.is_public_api(owner) and not IS_TAKEN.search(owner.short):
        return False
    uses = tree.index.references(owner).items
    if all(use.use in (Use.IMPORT, Use.EXPORT) for use in uses):
        return False
    return not has_reflective_access(tree, owner, by_class=owner.class_kind is ClassKind.MODEL)
