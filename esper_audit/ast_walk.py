"""One quick, iterative walk over an `ast`: no recursion, so depth costs nothing, and leaves are not expanded."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from operator import attrgetter

PLAIN_FIELDS = frozenset(
    {"arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level"}
    | {"module", "name", "names", "op", "ops", "rest", "simple", "str", "tag", "type_comment"}
    | {"type_ignores"}
)
LEAVES = (ast.Name, ast.Constant, ast.MatchStar, ast.Pass, ast.Break, ast.Continue)


def _getters() -> dict[type[ast.AST], tuple[Callable[[ast.AST], object], bool]]:
    """Return for each node class a getter of the fields that hold nodes, and whether it gets several."""
    table: dict[type[ast.AST], tuple[Callable[[ast.AST], object], bool]] = {}
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


def depth(root: ast.AST) -> int:
    """Return how many nodes lie on the longest path from `root` downwards."""
    deepest = 0
    level = [root]
    while level:
        deepest += 1
        level = [child for node in level for child in children(node)]
    return deepest
