"""The names that a loop binds, each with what the loop goes over."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.syntax.names import dotted, terminal_name

PARAMETERS = frozenset({"parameters", "named_parameters"})


def loop_values(target: ast.expr, iterated: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name that a loop binds with what it goes over, also for `zip` and named parameters."""
    if isinstance(target, ast.Name):
        yield target.id, iterated
    elif isinstance(target, ast.Tuple) and isinstance(iterated, ast.Call):
        if dotted(iterated.func) == "zip":
            for name, source in zip(target.elts, iterated.args, strict=False):
                yield from loop_values(name, source)
        elif terminal_name(iterated.func) in PARAMETERS:
            yield from loop_values(target.elts[-1], iterated)
