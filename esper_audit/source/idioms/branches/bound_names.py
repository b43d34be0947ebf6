"""The names that the parts of a function bind, and where it has conditional expressions."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import start_of
from esper_audit.source.syntax.names import Function, parameters

NAMED_BINDERS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.MatchAs, ast.MatchStar, ast.ExceptHandler,
)  # fmt: skip
BINDERS = frozenset({*NAMED_BINDERS, ast.Name, ast.Import, ast.ImportFrom, ast.MatchMapping})
SHARING = frozenset({ast.Global, ast.Nonlocal})
READ = BINDERS | SHARING | {ast.IfExp}


class BoundNames:
    """What one walk of a function finds, by place.

    `shared` are the names that the function or a nested one declares `global` or `nonlocal`, `once`
    those that are bound exactly once.
    """

    def __init__(self, function: Function) -> None:
        pairs: list[tuple[tuple[int, int], str]] = []
        conditionals: list[tuple[int, int]] = []
        shared: list[str] = []
        for part in scan(function, READ):
            if part.__class__ is ast.IfExp:
                conditionals.append(_start(part))
            elif isinstance(part, (ast.Global, ast.Nonlocal)):
                shared += part.names
            else:
                pairs += [(_start(part), name) for name in names_bound_by(part)]
        pairs.sort()
        self._starts = [start for start, _ in pairs]
        self._names = [name for _, name in pairs]
        self._conditionals = sorted(conditionals)
        self.shared = frozenset(shared)
        counts = Counter(self._names)
        counts.update(parameter.arg for parameter in parameters(function.args))
        self.once = frozenset(name for name, count in counts.items() if count == 1)

    def inside(self, *nodes: ast.stmt | ast.expr | ast.pattern | ast.withitem) -> frozenset[str]:
        """Return all names that some nodes bind or delete."""
        found: list[str] = []
        for node in nodes:
            if isinstance(node, ast.withitem):
                parts = [part for part in (node.context_expr, node.optional_vars) if part]
                found += self.inside(*parts)
            else:
                start, end = _range(node)
                low = bisect_left(self._starts, start)
                found += self._names[low : bisect_left(self._starts, end, low)]
        return frozenset(found)

    def has_conditional(self, node: ast.stmt | ast.expr) -> bool:
        """Return whether a node contains a conditional expression."""
        start, end = _range(node)
        at = bisect_left(self._conditionals, start)
        return at < len(self._conditionals) and self._conditionals[at] < end


def names_bound_by(part: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself binds or deletes."""
    if isinstance(part, ast.Name):
        if not isinstance(part.ctx, ast.Load):
            yield part.id
    elif isinstance(part, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in part.names)
    elif isinstance(part, ast.MatchMapping):
        yield part.rest or ""
    elif isinstance(part, NAMED_BINDERS):
        yield part.name or ""


def _start(part: ast.AST) -> tuple[int, int]:
    return part.lineno, part.col_offset  # type: ignore[attr-defined]  # all of these types have places


def _range(
    node: ast.stmt | ast.expr | ast.pattern,
) -> tuple[tuple[int, int], tuple[int, int]]:
    start = start_of(node) if isinstance(node, ast.stmt) else (node.lineno, node.col_offset)
    return start, (node.end_lineno or node.lineno, node.end_col_offset or 0)
