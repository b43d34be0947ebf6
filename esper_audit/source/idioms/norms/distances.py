"""What the norm of a difference measures: a distance, or a relative error."""

from __future__ import annotations

import ast


def has_difference(measured: list[ast.expr]) -> bool:
    """Return whether a norm measures a difference, and is the distance between two points."""
    return any(isinstance(m, ast.BinOp) and isinstance(m.op, ast.Sub) for m in measured)


def is_error_of(measured: list[ast.expr], reference: list[ast.expr]) -> bool:
    """Return whether a norm measures what something differs by from what another norm measures."""
    texts = {ast.unparse(part) for part in reference}
    return any(
        isinstance(m, ast.BinOp)
        and isinstance(m.op, ast.Sub)
        and not texts.isdisjoint({ast.unparse(m.left), ast.unparse(m.right)})
        for m in measured
    )
