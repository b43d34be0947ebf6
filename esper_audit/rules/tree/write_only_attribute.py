"""The rule `write-only-attribute`: a private attribute that is written and never read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import write_only_attribute_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.records import Place, Reference, Symbol
from esper_audit.source.syntax.source import Source
from esper_audit.source.usage.reflective_access import has_inspecting_base
from esper_audit.source.usage.tree import Tree

READS_ALL = re.compile(
    r"\b(vars|__dict__|__getstate__|__reduce__|__slots__|__getattr__|__getattribute__)\b"
)
# Calls that create plain values; the result of another call may be kept for its effects.
PLAIN_CALL = re.compile(
    r"(list|dict|set|frozenset|tuple|int|float|str|bool|len|min|max|sum|abs|round|sorted|range|isinstance"
    r"|(collections\.)?(OrderedDict|defaultdict|deque|Counter)|(time\.)?(time|monotonic|perf_counter)"
    r"|(copy\.)?(copy|deepcopy)|(np|numpy)\.\w+|torch\.(tensor|zeros|ones|empty|full|eye|arange|device))"
)
# Attributes that torch and its module wrappers read.
READ_BY_TORCH = re.compile(
    r"_(ddp|fsdp|dynamo|hf|is_hf|is_fsdp|is_full|version|forward|backward|state_dict|load|compiled)"
)
KEPT_NOTE = re.compile(
    r"#.*\b(debug|introspect|inspect|transparen|keep|kept|alive|hold|external|referenc)", re.I
)


class WriteOnlyAttribute(TreeRule):
    """A private attribute is written and never read.

    What: an attribute `self._x` that methods of a class assign, while nothing in the tree reads the
    name, on any object or in a string. `self._x` read in an unrelated class is another attribute.
    Tests do not count.

    Why: it must be maintained, keeps its value alive, and looks as if it had an effect.

    Quiet: public attributes; classes with a base outside the tree that may read it (`nn.Module` reads
    the names of torch), or with reflective access in their class family (`__dict__`, `vars`,
    `__getstate__`, `__slots__`, ...); results of calls, except plain values (`list()`, `len(x)`,
    `np.eye(3)`), as a handle may have to stay alive and a module to be registered; an assignment with
    a comment that the value is kept on purpose or for debugging.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "73 of 75 findings were correct (30 packages)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the private attributes with a name that nothing reads."""
        for owner in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            for name, writes in _private_writes(tree, owner).items():
                answer = tree.index.readers(name)
                readings = [r for r in answer.items if _is_possibly_of(tree, owner, r)]
                if any(reading.place.role is not Role.TEST for reading in readings):
                    continue
                if _is_kept(tree, owner, writes) or _is_read_reflectively(tree, owner, name):
                    continue
                if not answer.is_complete:
                    yield tree.undecided(owner, answer)
                    continue
                readers = "only tests read it" if readings else "never read"
                message = f"`self.{name}` of `{owner.short}` is written and {readers}"
                first = writes[0]
                target = first.targets[0] if isinstance(first, ast.Assign) else first.target
                yield tree.at_node(owner.path, target, message, subject=owner.symbol)


Write = ast.Assign | ast.AnnAssign | ast.AugAssign


def _private_writes(tree: Tree, owner: Symbol) -> dict[str, list[Write]]:
    """Return the private attributes of `self` that a class assigns, with their assignments in order."""
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
    """Return the attributes of `self` that a statement with a single target assigns."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        targets = node.targets
    else:
        targets = [] if isinstance(node, ast.Assign) else [node.target]
    return [
        t.attr for t in targets if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"
    ]


def _is_possibly_of(tree: Tree, owner: Symbol, reading: Reference) -> bool:
    """Return whether a read may be of an object of a class, and not of an unrelated class's `self`."""
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
    """Return the class that contains a place, or None."""
    name = place.symbol
    while name:
        symbol = tree.index.symbol(place.path, name)
        if symbol is not None and symbol.kind is DefinitionKind.CLASS:
            return symbol
        name = name.rpartition(".")[0]
    return None


def _is_kept(tree: Tree, owner: Symbol, writes: list[Write]) -> bool:
    """Return whether the written value may have effects, or a comment explains why it is kept."""
    source = tree.source(owner.path)
    assert source is not None, owner.path
    commented = (
        source.lines[line - 1] for write in writes for line in _commented_lines(source, write)
    )
    return not all(map(_is_plain, writes)) or any(map(KEPT_NOTE.search, commented))


def _commented_lines(source: Source, write: Write) -> Iterator[int]:
    """Yield the line numbers of a statement and of the comments directly above."""
    yield from range(write.lineno, (write.end_lineno or write.lineno) + 1)
    above = write.lineno - 1
    while above > 0 and source.lines[above - 1].lstrip().startswith("#"):
        yield above
        above -= 1


def _is_plain(write: Write) -> bool:
    """Return whether the written value is plain: it results from no call with possible effects."""
    calls = [node for node in ast.walk(write) if isinstance(node, (ast.Call, ast.Await, ast.Yield))]
    return all(
        isinstance(call, ast.Call) and PLAIN_CALL.fullmatch(ast.unparse(call.func))
        for call in calls
    )


def _is_read_reflectively(tree: Tree, owner: Symbol, name: str) -> bool:
    hierarchy = tree.index.resolver.hierarchy
    is_module = any(base.endswith("Module") for base in hierarchy.foreign_bases(owner.key))
    if has_inspecting_base(tree, owner) or (is_module and READ_BY_TORCH.match(name)):
        return True
    family = map(tree.index.of_key, hierarchy.family(owner.key))
    return any(READS_ALL.search(tree.text(member)) for member in family)
