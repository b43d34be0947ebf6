"""What reads a moving average: the program, or only a report of statistics under names."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.numerics.ema_update import ema_update
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.names import dotted, terminal_name

REPORTING = frozenset(
    {"print", "log", "log_dict", "info", "debug", "warning", "add_scalar", "add_scalars", "format"}
    | {"set_postfix", "set_postfix_str", "set_description", "record"}
)


def is_reported_only(average: str, scope: ast.AST) -> bool:
    """Return whether an attribute is read in its scope, and each time to report it under a name."""
    reads = list(_reads(average, scope, is_reported=False)) if "." in average else []
    return bool(reads) and all(reads)


def _reads(average: str, node: ast.AST, *, is_reported: bool) -> Iterator[bool]:
    """Yield for each read of an average, the updates left out, whether it only reports the value."""
    if ema_update(node) is not None:
        return
    is_read = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    if is_read and dotted(node) == average:
        yield is_reported
        return
    is_computing = isinstance(node, (ast.BinOp, ast.Compare, ast.Subscript))
    is_within = not is_computing and (is_reported or _is_report(node))
    for child in children(node):
        yield from _reads(average, child, is_reported=is_within)


def _is_report(node: ast.AST) -> bool:
    """Return whether a node names values for a reader: a pair with a text, a dict, a call that logs."""
    if isinstance(node, (ast.FormattedValue, ast.Dict)):
        return True
    if isinstance(node, ast.Tuple):
        first = node.elts[0] if node.elts else None
        return isinstance(first, ast.Constant) and isinstance(first.value, str)
    return isinstance(node, ast.Call) and terminal_name(node.func) in REPORTING
