"""Counts in tensors: degrees of nodes, sums of masks, histograms, which may be zero."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.numerics.probabilities import SELECTING, selected
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, first_reason
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import terminal_name, text_of

DEEPEST = 6
MASK = re.compile(r"(^|_)masks?(_|$)")
DEGREE = re.compile(r"(?i)(^|_)(deg|degs?|degrees?|n_?neighbou?rs)$")
ADDING = frozenset({"scatter_add", "scatter_add_", "index_add", "index_add_", "scatter_sum"})
COUNTING = frozenset({"bincount", "histc", "count_nonzero"})
ONES = frozenset({"ones", "ones_like", "new_ones"})


def count_reason(node: ast.expr, file: FileView, depth: int = 0) -> str:
    """Return what makes a tensor a count that may be 0, empty if nothing shows it."""
    return "" if depth > DEEPEST else first_reason(node, file, depth, _reason)


def _reason(node: ast.expr, file: FileView, depth: int) -> str:
    if isinstance(node, ast.Name):
        values = file.once(FunctionValues).reaching(node)
        is_parameter = bool(values) and all(value.statement is None for value in values)
        return "a degree" if is_parameter and DEGREE.search(node.id) else ""
    if not isinstance(node, ast.Call):
        return ""
    name = terminal_name(node.func)
    if name in ("degree", "in_degrees", "out_degrees") and node.args:
        return "a degree"
    if name in ADDING:
        is_count = any(_is_ones(argument, file) for argument in node.args)
        return "a degree" if is_count else ""
    call = tensor_call(node, file)
    if call is None:
        return ""
    if call.name in COUNTING:
        return "a count"
    if call.name == "sum":
        is_named = MASK.search(text_of(call.subject).rpartition(".")[2])
        return "a count" if is_named or is_mask(call.subject, file) else ""
    return count_reason(call.subject, file, depth) if call.name in SELECTING else ""


def is_mask(node: ast.expr, file: FileView, depth: int = 0) -> bool:
    """Return whether a tensor is the result of a comparison, perhaps converted or combined."""
    if depth > DEEPEST:
        return False
    origins = file.once(ValueOrigins).of(node)
    return any(_is_mask_origin(origin, file, depth + 1) for origin in origins)


def _is_mask_origin(origin: ast.expr, file: FileView, depth: int) -> bool:
    if isinstance(origin, ast.Compare):
        return True
    if isinstance(origin, ast.UnaryOp) and isinstance(origin.op, ast.Invert):
        return is_mask(origin.operand, file, depth)
    if isinstance(origin, ast.BinOp) and isinstance(origin.op, (ast.BitAnd, ast.BitOr)):
        return any(is_mask(side, file, depth) for side in (origin.left, origin.right))
    call = tensor_call(origin, file)
    is_kept = call is not None and call.name in SELECTING | {"long", "int", "bool"}
    return call is not None and is_kept and is_mask(call.subject, file, depth)


def _is_ones(node: ast.expr, file: FileView) -> bool:
    origins = file.once(ValueOrigins).of(node, selected, calls=0)
    return any(isinstance(o, ast.Call) and terminal_name(o.func) in ONES for o in origins)
