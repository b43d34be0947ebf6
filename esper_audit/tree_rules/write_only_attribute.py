"""The rule `write-only-attribute`: something an object remembers, and nobody asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.facts import DefinitionKind
from esper_audit.finding import Category, NotAnalysed, Severity
from esper_audit.reference import Symbol
from esper_audit.tree import Tree
from esper_audit.tree_rule import InvalidTree, TreeRule, TreeViolation, ValidTree
from esper_audit.whole_objects import HARMLESS_BASES, says

WHOLE = re.compile(
    r"\b(vars|__dict__|__getstate__|__reduce__|__slots__|__getattr__|__getattribute__)\b"
)
# Made of these, a value is kept for what it holds; another call may be kept for what it does.
PLAIN = frozenset(
    {"list", "dict", "set", "tuple", "int", "float", "str", "bool", "len", "min", "max", "sum"}
)
CLASS = "class Meter:\n    def __init__(self, size):\n        self._size = size\n        self._seen = 0\n\n"
STEP = "    def step(self):\n        self._seen += 1\n        return self._size\n"
SAID = "`self._seen` of `Meter` is written and never read"


class WriteOnlyAttribute(TreeRule):
    """A private attribute is written and never read.

    What: an attribute `self._x` whose name nothing in the tree reads, of whatever object or in a string,
    while methods of its class assign it.

    Why: it is kept up to date for nobody, keeps what it holds alive, and reads as if it mattered.

    Quiet: public attributes; a name that anything reads; classes with a base outside the tree that may read
    it, or in whose family something takes objects apart (`__dict__`, `vars`, `__getstate__`, `__slots__`, ...);
    values that a call makes, but for plain ones (`list()`, `len(x)`): a handle may be kept to stay alive, a
    module to be registered.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4

    VALID = (
        ValidTree(
            "read by a method",
            {"a.py": CLASS + STEP.replace("return self._size", "return self._size + self._seen")},
        ),
        ValidTree(
            "read by somebody else",
            {"a.py": CLASS + STEP, "b.py": "def f(m):\n    return m._seen\n"},
        ),
        ValidTree(
            "asked for by name",
            {"a.py": CLASS + STEP, "b.py": "def f(m):\n    return getattr(m, '_seen')\n"},
        ),
        ValidTree("a public attribute", {"a.py": (CLASS + STEP).replace("_seen", "seen")}),
        ValidTree(
            "a base of somebody else's",
            {"a.py": "import lib\n" + (CLASS + STEP).replace("Meter:", "Meter(lib.Base):")},
        ),
        ValidTree(
            "the object is taken apart",
            {"a.py": CLASS + STEP + "    def all(self):\n        return vars(self)\n"},
        ),
        ValidTree(
            "a handle that is kept",
            {"a.py": (CLASS + STEP).replace("= 0", "= hook(size)").replace("+= 1", "= hook(2)")},
        ),
    )
    INVALID = (
        InvalidTree("counted for nobody", {"a.py": CLASS + STEP}, (("a.py", 4, SAID),)),
        InvalidTree(
            "a list that is only made",
            {
                "a.py": CLASS.replace("= 0", "= list()")
                + STEP.replace("        self._seen += 1\n", "")
            },
            (("a.py", 4, SAID),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the private attributes whose name nothing reads."""
        for owner in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            for name, writes in _written(tree, owner).items():
                answer = tree.index.readers(name)
                if answer.items or not all(map(_is_plain, writes)) or _is_seen_whole(tree, owner):
                    continue
                if not answer.is_complete:
                    yield tree.undecided(owner, answer)
                    continue
                message = f"`self.{name}` of `{owner.short}` is written and never read"
                first = writes[0]
                target = first.targets[0] if isinstance(first, ast.Assign) else first.target
                yield tree.at_node(owner.path, target, message, subject=owner.symbol)


Write = ast.Assign | ast.AnnAssign | ast.AugAssign


def _written(tree: Tree, owner: Symbol) -> dict[str, list[Write]]:
    """Return the private attributes of `self` that a class assigns, each with its assignments in order."""
    assigned = tree.index.definition(owner).attributes
    names = {n for n in assigned if n.startswith("_") and not n.endswith("__")}
    source = tree.source(owner.path) if names else None
    found: dict[str, list[Write]] = {}
    for write in _assignments(source.tree, owner) if source is not None else ():
        for name in names.intersection(_targets(write)):
            found.setdefault(name, []).append(write)
    return found


def _assignments(module: ast.Module, owner: Symbol) -> Iterator[Write]:
    """Yield the assignments in a class, in the order of the text."""
    name = owner.symbol.rpartition(".")[2]
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and node.name == name and node.lineno <= owner.line:
            inside = [n for n in ast.walk(node) if isinstance(n, Write)]
            yield from sorted(inside, key=lambda write: write.lineno)


def _targets(node: Write) -> list[str]:
    """Return the names of the attributes of `self` that a statement assigns alone."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        targets = node.targets
    else:
        targets = [] if isinstance(node, ast.Assign) else [node.target]
    return [
        t.attr for t in targets if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"
    ]


def _is_plain(write: Write) -> bool:
    """Say whether what is written is kept for what it holds: no call of anything that might do something."""
    calls = [node for node in ast.walk(write) if isinstance(node, (ast.Call, ast.Await, ast.Yield))]
    return all(isinstance(c, ast.Call) and ast.unparse(c.func) in PLAIN for c in calls)


def _is_seen_whole(tree: Tree, owner: Symbol) -> bool:
    kin = tree.index.resolver.kin
    if kin.foreign_bases(owner.key) - HARMLESS_BASES:
        return True
    paths = {key.partition(":")[0] for key in (*kin.order(owner.key), *kin.subclasses(owner.key))}
    return any(says(tree, path, WHOLE) for path in paths)
