"""A quick, iterative walk over an `ast`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from operator import attrgetter

PLAIN_FIELDS = frozenset(
    {"arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level"}
    | {"module", "name", "names", "op", "ops", "rest", "simple", "str", "tag", "type_comment"}
    | {"type_ignores"}
)
# What has a scope of its own: `scan(function, kinds, NESTED_SCOPES)` stays in the function.
NESTED_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda})
LEAVES = (ast.Name, ast.Constant, ast.MatchStar, ast.Pass, ast.Break, ast.Continue)


Getter = Callable[[ast.AST], object]


def _getters() -> dict[type[ast.AST], tuple[Getter, bool]]:
    """Return for each node class a getter of the fields that hold nodes, and whether it gets several."""
    table: dict[type[ast.AST], tuple[Getter, bool]] = {}
    for kind in vars(ast).values():
        if not (isinstance(kind, type) and issubclass(kind, ast.AST)) or kind in LEAVES:
            continue
        fields = [field for field in kind._fields if field not in PLAIN_FIELDS]
        if fields:
            table[kind] = (attrgetter(*fields), len(fields) > 1)
    return table


_GETTERS = _getters()


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly below `node`, without operators, contexts and import aliases."""
    found: list[ast.AST] = []
    getter = _GETTERS.get(node.__class__)
    if getter is None:
        return found
    get, several = getter
    for value in get(node) if several else (get(node),):  # type: ignore[attr-defined]  # a tuple
        if value.__class__ is list:
            found += [item for item in value if item is not None]
        elif value is not None:
            found.append(value)
    return found


def walk(root: ast.AST) -> Iterator[ast.AST]:
    """Yield `root` and every node below it in source order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        below = children(node)
        below.reverse()
        stack += below


def scan(
    root: ast.AST,
    wanted: Collection[type[ast.AST]],
    closed: Collection[type[ast.AST]] = (),
) -> list[ast.AST]:
    """Return the nodes of the wanted classes, `root` included, in no particular order.

    Nodes inside those of the `closed` classes are omitted, except inside `root`.
    The same nodes as `walk` at a third of its cost: no generator, no call a node, leaves not expanded.
    """
    found: list[ast.AST] = []
    stack: list[ast.AST | None] = [root]
    pop, push, getters = stack.pop, stack.append, _GETTERS
    while stack:
        node = pop()
        kind = node.__class__
        if kind in wanted:
            found.append(node)  # type: ignore[arg-type]  # None is of no wanted class
        getter = getters.get(kind)  # type: ignore[arg-type]  # None has no getter
        if getter is None or (kind in closed and node is not root):
            continue
        get, several = getter
        if not several:
            value = get(node)  # type: ignore[arg-type]  # it has a getter, so it is a node
            if value.__class__ is list:
                stack += value
            else:
                push(value)  # type: ignore[arg-type]  # what is no list is a node or None
            continue
        for value in get(node):  # type: ignore[arg-type, attr-defined]  # a tuple
            if value.__class__ is list:
                stack += value
            else:
                push(value)
    return found


def names_in(node: ast.AST) -> set[str]:
    """Return the names that code reads or binds."""
    return {part.id for part in scan(node, {ast.Name}) if isinstance(part, ast.Name)}


def returned_values(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """Yield the values that a function returns, without those of nested functions."""
    for node in scan(function, {ast.Return}, NESTED_SCOPES):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def collect(root: ast.AST, kinds: Collection[type[ast.AST]]) -> dict[type[ast.AST], list[ast.AST]]:
    """Return the nodes of each of the classes, `root` included, in no particular order, in one walk.

    The same nodes as `scan`, at the same cost, sorted by class.
    """
    found: dict[type[ast.AST], list[ast.AST]] = {kind: [] for kind in kinds}
    table: dict[type, tuple[Callable[[ast.AST], None] | None, Getter, bool]] = {
        kind: (found[kind].append if kind in found else None, get, several)
        for kind, (get, several) in _GETTERS.items()
    }
    for kind in found.keys() - table.keys():
        table[kind] = (found[kind].append, _no_children, False)
    stack: list[ast.AST] = [root]
    pop, push, look_up = stack.pop, stack.append, table.get
    while stack:
        node = pop()
        row = look_up(node.__class__)
        if row is None:
            continue
        add, get, several = row
        if add is not None:
            add(node)
        if not several:
            value = get(node)
            if value.__class__ is list:
                stack += value
            else:
                push(value)  # type: ignore[arg-type]  # what is no list is a node or None
            continue
        for value in get(node):  # type: ignore[attr-defined]  # a getter of several fields returns a tuple
            if value.__class__ is list:
                stack += value
            else:
                push(value)
    return found


def _no_children(_: ast.AST) -> object:
    return None


def depth(root: ast.AST) -> int:
    """Return how deep LibCST nests what lies below `root`. It nests some chains that `ast` keeps flat."""
    deepest = 0
    stack = [(root, 1)]
    while stack:
        node, at = stack.pop()
        at += _flat_chain(node)
        deepest = max(deepest, at)
        stack += [(child, at + 1) for child in children(node)]
    return deepest


def _flat_chain(node: ast.AST) -> int:
    """Return the further levels in LibCST of `a and b and ...` and of a dotted name in an import."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 2
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        return max(name.count(".") for name in (module, *(alias.name for alias in node.names)))
    return 0


def factors(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the factors of a product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from factors(node.left)
        yield from factors(node.right)
    else:
        yield node
