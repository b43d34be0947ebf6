"""The rule `write-only-attribute`: something an object remembers, and nobody asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.records import Place, Reference, Symbol
from esper_audit.source.syntax.source import Source
from esper_audit.source.usage.reflective_access import has_inspecting_base
from esper_audit.source.usage.tree import Tree

WHOLE = re.compile(
    r"\b(vars|__dict__|__getstate__|__reduce__|__slots__|__getattr__|__getattribute__)\b"
)
# Made of these, a value is kept for what it holds; another call may be kept for what it does.
PLAIN = re.compile(
    r"(list|dict|set|frozenset|tuple|int|float|str|bool|len|min|max|sum|abs|round|sorted|range|isinstance"
    r"|(collections\.)?(OrderedDict|defaultdict|deque|Counter)|(time\.)?(time|monotonic|perf_counter)"
    r"|(copy\.)?(copy|deepcopy)|(np|numpy)\.\w+|torch\.(tensor|zeros|ones|empty|full|eye|arange|device))"
)
# torch, and what wraps its modules, ask a module for attributes of these names.
ASKED_BY_TORCH = re.compile(
    r"_(ddp|fsdp|dynamo|hf|is_hf|is_fsdp|is_full|version|forward|backward|state_dict|load|compiled)"
)
SAID_WHY = re.compile(
    r"#.*\b(debug|introspect|inspect|transparen|keep|kept|alive|hold|external|referenc)", re.I
)
CLASS = "class Meter:\n    def __init__(self, size):\n        self._size = size\n        self._seen = 0\n\n"
STEP = "    def step(self):\n        self._seen += 1\n        return self._size\n"
SAID = "`self._seen` of `Meter` is written and never read"


class WriteOnlyAttribute(TreeRule):
    """A private attribute is written and never read.

    What: an attribute `self._x` that methods of a class assign, while nothing in the tree reads the name:
    of whatever object, or in a string. `self._x` read in a class that has nothing to do with this one is
    another attribute.

    Why: it is kept up to date for nobody, keeps what it holds alive, and reads as if it mattered.

    Quiet: public attributes; classes with a base outside the tree that may read it (`nn.Module` reads what
    torch names), or in whose family something takes objects apart (`__dict__`, `vars`, `__getstate__`,
    `__slots__`, ...); values that a call makes, but for plain ones (`list()`, `len(x)`, `np.eye(3)`): a handle
    may be kept to stay alive, a module to be registered; an assignment with a comment that it is there to be
    kept, or for debugging.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "73 of 75 read were right (30 packages)"

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
            "read by a mixin",
            {
                "a.py": CLASS + STEP,
                "b.py": "from a import Meter\n\n\nclass Shown:\n    def show(self):\n        return self._seen\n\n\n"
                "class Both(Meter, Shown): ...\n",
            },
        ),
        ValidTree(
            "read by a class below",
            {
                "a.py": CLASS + STEP,
                "b.py": "from a import Meter\n\n\nclass Shown(Meter):\n    def show(self):\n"
                "        return self._seen\n",
            },
        ),
        ValidTree(
            "read by a class above",
            {
                "b.py": "class Shown:\n    def show(self):\n        return self._seen\n",
                "a.py": "from b import Shown\n\n\n"
                + (CLASS + STEP).replace("Meter:", "Meter(Shown):"),
            },
        ),
        ValidTree(
            "kept for a person to look at",
            {"a.py": (CLASS + STEP).replace("_seen = 0", "_seen = 0  # for debugging")},
        ),
        ValidTree(
            "kept so that it lives",
            {
                "a.py": CLASS.replace(
                    "        self._seen", "        # keeps the size alive\n        self._seen"
                )
                + STEP
            },
        ),
        ValidTree(
            "what torch asks of a module",
            {
                "a.py": "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
                "        self._ddp_params_and_buffers_to_ignore = []\n"
            },
        ),
        ValidTree(
            "a handle that is kept",
            {"a.py": (CLASS + STEP).replace("= 0", "= hook(size)").replace("+= 1", "= hook(2)")},
        ),
    )
    INVALID = (
        InvalidTree("counted for nobody", {"a.py": CLASS + STEP}, (("a.py", 4, SAID),)),
        InvalidTree(
            "an attribute of a module",
            {
                "a.py": "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self, size):\n"
                "        super().__init__()\n        self._size = size\n"
            },
            (("a.py", 7, "`self._size` of `Net` is written and never read"),),
        ),
        InvalidTree(
            "another class reads its own of that name",
            {
                "a.py": CLASS + STEP,
                "b.py": "class Other:\n    def __init__(self):\n        self._seen = 1\n\n    def show(self):\n"
                "        return self._seen\n",
            },
            (("a.py", 4, SAID),),
        ),
        InvalidTree(
            "another class beside it takes itself apart",
            {
                "a.py": CLASS
                + STEP
                + "\n\nclass Other:\n    def all(self):\n        return vars(self)\n"
            },
            (("a.py", 4, SAID),),
        ),
        InvalidTree(
            "an array that nothing looks at",
            {"a.py": CLASS.replace("= 0", "= np.eye(size)") + STEP},
            (("a.py", 4, SAID),),
        ),
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
                if any(_may_be_of(tree, owner, reading) for reading in answer.items):
                    continue
                if _is_kept(tree, owner, writes) or _is_seen_whole(tree, owner, name):
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


def _may_be_of(tree: Tree, owner: Symbol, reading: Reference) -> bool:
    """Return whether a reading may be of an object of a class: not what an unrelated class reads of `self`."""
    around = _class_around(tree, reading.place) if reading.is_own_attribute else None
    if around is None:
        return True
    hierarchy = tree.index.resolver.hierarchy
    below = hierarchy.subclasses(owner.key)
    if any("?" in hierarchy.foreign_bases(key) for key in (owner.key, around.key, *below)):
        return True
    return any(around.key in hierarchy.order(key) for key in (owner.key, *below)) or (
        owner.key in hierarchy.order(around.key)
    )


def _class_around(tree: Tree, place: Place) -> Symbol | None:
    """Return the class whose method a place stands in."""
    name = place.symbol
    while name:
        symbol = tree.index.symbol(place.path, name)
        if symbol is not None and symbol.kind is DefinitionKind.CLASS:
            return symbol
        name = name.rpartition(".")[0]
    return None


def _is_kept(tree: Tree, owner: Symbol, writes: list[Write]) -> bool:
    """Return whether what is written is kept for more than what it holds, or says what it is kept for."""
    source = tree.source(owner.path)
    assert source is not None, owner.path
    said = (source.lines[line - 1] for write in writes for line in _said_at(source, write))
    return not all(map(_is_plain, writes)) or any(map(SAID_WHY.search, said))


def _said_at(source: Source, write: Write) -> Iterator[int]:
    """Yield the lines of a statement and of the comments right above."""
    yield from range(write.lineno, (write.end_lineno or write.lineno) + 1)
    above = write.lineno - 1
    while above > 0 and source.lines[above - 1].lstrip().startswith("#"):
        yield above
        above -= 1


def _is_plain(write: Write) -> bool:
    """Return whether what is written is kept for what it holds: no call of anything that might do something."""
    calls = [node for node in ast.walk(write) if isinstance(node, (ast.Call, ast.Await, ast.Yield))]
    return all(
        isinstance(call, ast.Call) and PLAIN.fullmatch(ast.unparse(call.func)) for call in calls
    )


def _is_seen_whole(tree: Tree, owner: Symbol, name: str) -> bool:
    hierarchy = tree.index.resolver.hierarchy
    is_module = any(base.endswith("Module") for base in hierarchy.foreign_bases(owner.key))
    if has_inspecting_base(tree, owner) or (is_module and ASKED_BY_TORCH.match(name)):
        return True
    family = map(tree.index.of_key, hierarchy.family(owner.key))
    return any(WHOLE.search(tree.text(member)) for member in family)
