"""What a loop takes from its iterator and passes to a call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
COUNTING = frozenset({"range", "count", "repeat"})
CREATIONS = frozenset({"randn", "rand", "zeros", "ones", "randint", "empty", "full", "arange"})
DEEPEST = 4


def comprehension_around(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the innermost comprehension around an expression."""
    above: ast.AST | None = file.parent(node)
    while isinstance(above, (ast.expr, ast.comprehension)):
        if isinstance(above, COMPREHENSIONS):
            return above
        above = file.parent(above)
    return None


def is_fed_by(loop: ast.stmt | ast.expr, call: ast.expr) -> bool:
    """Return whether a loop over data passes what it takes from it to a call.

    A loop that counts, or that makes another model or random numbers in each round, does not.
    """
    if not isinstance(call, ast.Call):
        return False
    taken = {
        name
        for target, over in _iterated(loop)
        if not _is_counting(over)
        for name in names_in(target)
    }
    assigned = [a for a in scan(loop, {ast.Assign}, NESTED_SCOPES) if isinstance(a, ast.Assign)]
    for _ in range(DEEPEST):
        made = [a for a in assigned if not _is_creation(a.value) and taken & names_in(a.value)]
        taken |= {name for a in made for target in a.targets for name in names_in(target)}
    if dotted(call.func).partition(".")[0] in taken:
        return False
    passed = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(taken & names_in(argument) for argument in passed)


def _iterated(loop: ast.stmt | ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each target of a loop with what it goes over."""
    if isinstance(loop, (ast.For, ast.AsyncFor)):
        yield loop.target, loop.iter
    elif isinstance(loop, COMPREHENSIONS):
        yield from ((part.target, part.iter) for part in loop.generators)


def _is_counting(over: ast.expr) -> bool:
    return isinstance(over, ast.Call) and terminal_name(over.func) in COUNTING


def _is_creation(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and terminal_name(value.func) in CREATIONS
