"""An iterative walk over LibCST nodes, without whitespace and punctuation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from operator import attrgetter

from esper_audit.source.syntax import cst

PUNCTUATION = frozenset(
    {
        "asynchronous",
        "comma",
        "dot",
        "equal",
        "encoding",
        "first_colon",
        "footer",
        "header",
        "indent",
    }
    | {
        "lbrace",
        "lbracket",
        "leading_lines",
        "lines_after_decorators",
        "lpar",
        "operator",
        "rbrace",
    }
    | {"rbracket", "rpar", "second_colon", "semicolon", "separator", "trailing_whitespace"}
)
# What an import names is a name, not a look-up: `ast` has no nodes for it, so neither has this walk.
MERE_NAMES = frozenset({("ImportAlias", "name"), ("ImportFrom", "module")})
_getters: dict[type, Callable[[cst.CSTNode], tuple[object, ...]] | None] = {}


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Return the meaningful nodes directly below `node`, in source order but for decorators."""
    kind = node.__class__
    if kind not in _getters:
        _getters[kind] = _getter(kind)
    get = _getters[kind]
    found: list[cst.CSTNode] = []
    if get is not None:
        for value in get(node):
            if isinstance(value, cst.CSTNode):
                found.append(value)
            elif value.__class__ in (list, tuple):
                found += [item for item in value if isinstance(item, cst.CSTNode)]
    return found


def walk(root: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield `root` and every meaningful node below it."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        below = children(node)
        below.reverse()
        stack += below


def _getter(kind: type[cst.CSTNode]) -> Callable[[cst.CSTNode], tuple[object, ...]] | None:
    fields = [
        field.name
        for field in dataclasses.fields(kind)
        if field.name not in PUNCTUATION
        and not field.name.startswith("whitespace")
        and (kind.__name__, field.name) not in MERE_NAMES
    ]
    if not fields:
        return None
    get = attrgetter(*fields)
    return get if len(fields) > 1 else lambda node: (get(node),)
