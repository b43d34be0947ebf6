"""Operations of tensors by what they do with storage: views, writes in place, copies."""

from __future__ import annotations

import ast
from collections.abc import Callable

from esper_audit.source.syntax.names import dotted, is_constant, terminal_name

VIEW_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real", "imag"})
VIEW_METHODS = frozenset(
    {"view", "view_as", "squeeze", "unsqueeze", "transpose", "permute", "t", "expand", "expand_as"}
    | {"narrow", "select", "unfold", "diagonal", "swapaxes", "swapdims", "movedim", "moveaxis"}
    | {"detach", "unflatten", "adjoint", "as_strided", "chunk", "split", "unbind", "tensor_split"}
    | {"hsplit", "vsplit", "dsplit", "numpy", "requires_grad_", "reshape", "reshape_as", "flatten"}
    | {"contiguous", "ravel", "view_as_real", "view_as_complex", "broadcast_to"}
)
"""Methods whose result shares storage, those that copy only where a view is impossible included."""
VIEW_FUNCTIONS = VIEW_METHODS | {"as_tensor", "asarray", "from_numpy", "atleast_1d", "atleast_2d"}
PERMUTING = frozenset({"transpose", "permute", "t", "swapaxes", "swapdims", "movedim"})
ITEM_METHODS = frozenset({"get", "items", "values"})
FLAG_METHODS = frozenset(
    {"requires_grad_", "share_memory_", "rename_", "retain_grad_", "is_shared_", "to_", "detach_"}
)
"""Methods that end in an underscore and leave the values as they are."""
GRADIENT_FUNCTIONS = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_"})
ITERATING = frozenset({"enumerate", "zip", "reversed", "list", "tuple", "iter"})
TENSOR_MODULES = ("torch.", "numpy.")

Resolve = Callable[[ast.expr], str | None]


def is_basic_index(index: ast.expr, integers: frozenset[str]) -> bool:
    """Return whether an index selects a view: slices, integers, None and the ellipsis alone."""
    if isinstance(index, ast.Tuple):
        return all(is_basic_index(part, integers) for part in index.elts)
    if isinstance(index, (ast.Slice, ast.Constant)):
        return True
    if isinstance(index, ast.UnaryOp):
        return is_basic_index(index.operand, integers)
    if isinstance(index, ast.BinOp):
        return is_basic_index(index.left, integers) and is_basic_index(index.right, integers)
    return isinstance(index, ast.Name) and index.id in integers


def has_slice(index: ast.expr) -> bool:
    """Return whether an index selects a range."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return any(isinstance(part, ast.Slice) for part in parts)


def is_write_method(name: str) -> bool:
    """Return whether a method of a tensor writes in place by the convention of its name."""
    return len(name) > 2 and name[-1] == "_" != name[-2] and name not in FLAG_METHODS


def has_write_method(value: ast.expr) -> bool:
    """Return whether a chain of calls has a method with a trailing underscore."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if is_write_method(value.func.attr):
            return True
        value = value.func.value
    return False


def is_item_removal(node: ast.AST) -> bool:
    """Return whether a node takes an item with a literal key out of a dict: `batch.pop("labels")`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    key = node.args[0]
    is_text = isinstance(key, ast.Constant) and isinstance(key.value, str)
    return node.func.attr == "pop" and is_text


def written_by_call(call: ast.Call, resolve: Resolve) -> list[ast.expr]:
    """Return what a call of a method or a function of torch writes into."""
    function = call.func
    # A record may have a field `out`.
    is_made = terminal_name(function)[:1].isupper()
    written = [] if is_made else [k.value for k in call.keywords if k.arg == "out"]
    if isinstance(function, ast.Attribute) and is_write_method(function.attr):
        target = resolve(function)
        if target is None:
            written.append(function.value)
        elif target.startswith("torch.") and call.args and function.attr not in GRADIENT_FUNCTIONS:
            written.append(call.args[0])
    is_inplace = any(k.arg == "inplace" and is_constant(k.value, True) for k in call.keywords)
    if is_inplace and (resolve(function) or "").startswith("torch.nn.functional."):
        written += call.args[:1]
    return written


def viewed_by_call(call: ast.Call, resolve: Resolve) -> list[ast.expr]:
    """Return the operands of a call whose storage its result shares."""
    function = call.func
    target = resolve(function)
    if target is not None and target.startswith(TENSOR_MODULES):
        known = terminal_name(function) in VIEW_FUNCTIONS or bool(written_by_call(call, resolve))
        return call.args[:1] if known else []
    if target is not None and target.startswith("builtins."):
        return []
    if isinstance(function, ast.Attribute):
        name = function.attr
        if name == "contiguous" and _is_permuted(function.value):
            return []
        if name in VIEW_METHODS or name in ITEM_METHODS or is_write_method(name):
            return [function.value]
    return []


def _is_permuted(operand: ast.expr) -> bool:
    """Return whether an operand has its axes in another order, so that `contiguous` copies it."""
    return isinstance(operand, ast.Call) and terminal_name(operand.func) in PERMUTING


def iterated(iterable: ast.expr) -> list[ast.expr]:
    """Return what a loop iterates over, through `zip`, `enumerate` and the like."""
    if isinstance(iterable, ast.Call) and dotted(iterable.func) in ITERATING:
        return [part for argument in iterable.args for part in iterated(argument)]
    return iterable.elts if isinstance(iterable, (ast.Tuple, ast.List)) else [iterable]
