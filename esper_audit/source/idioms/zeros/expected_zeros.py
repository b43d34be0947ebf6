"""Values whose zero is an ordinary case in training, and whether a gradient comes back to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import parameters, terminal_name

AVERAGES = frozenset({"mean", "nanmean", "median"})
SQUARES = frozenset({"pow", "square"})
WITHOUT_GRADIENT = frozenset({"item", "argmax", "argmin", "argsort", "print", "detach", "numpy"})


def has_expected_zero(node: ast.expr, file: FileView) -> bool:
    """Return whether a value holds the square of a difference, of a complex part or of an argument."""
    origins = file.once(ValueOrigins)
    parts = [part for origin in origins.of(node) for part in walk(origin)]
    more = [
        o for p in parts if isinstance(p, ast.Name) for o in origins.of(p, calls=0) if o is not p
    ]
    parts += [part for origin in more for part in walk(origin)]
    is_whole = any(map(_is_over_all, parts))
    return any(
        is_difference(each, file) or (not is_whole and _is_argument(each, file))
        for part in parts
        for squared in _squared(part, file)
        for each in origins.of(squared, calls=0)
    )


def _is_over_all(node: ast.AST) -> bool:
    """Return whether a call reduces a tensor to one number, which is 0 only if all of it is."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    is_reduction = node.func.attr in ("sum", "mean")
    return is_reduction and not node.keywords and len(node.args) == _own_operands(node.func)


def _own_operands(function: ast.Attribute) -> int:
    """Return how many arguments hold the tensor: one for `torch.sum(x)`, none for `x.sum()`."""
    return int(isinstance(function.value, ast.Name) and function.value.id == "torch")


def _squared(node: ast.AST, file: FileView) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.Mult)):
        yield node.left
    call = tensor_call(node, file)
    if call is not None and call.name in SQUARES:
        yield call.subject


def is_difference(node: ast.expr, file: FileView) -> bool:
    """Return whether a value is the difference of two tensors that are no parts or means of one.

    The difference of all neighbours in a tensor is 0 wherever that is flat.
    """
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return False
    sides = (node.left, node.right)
    if any(isinstance(side, ast.Constant) for side in sides):
        return False
    names = [_base(side) for side in sides]
    if all(isinstance(side, ast.Subscript) for side in sides) and names[0] == names[1]:
        return all(map(_is_of_ranges, sides))
    found = file.once(ValueOrigins).of(node.right, calls=0)
    calls = [part for each in found for part in walk(each) if isinstance(part, ast.Call)]
    return not any(terminal_name(call.func) in AVERAGES for call in calls)


def _is_of_ranges(node: ast.expr) -> bool:
    """Return whether a part of a tensor is a range on each axis, as for the neighbours of all elements."""
    index = node.slice if isinstance(node, ast.Subscript) else node
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    is_whole = (isinstance(p, ast.Constant) and p.value is Ellipsis for p in parts)
    return all(isinstance(p, ast.Slice) or whole for p, whole in zip(parts, is_whole, strict=True))


def _is_argument(node: ast.expr, file: FileView) -> bool:
    """Return whether a value is an argument of the function, or the part of a complex number."""
    functions = file.functions(node)
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Attribute) and named.attr in ("real", "imag"):
        return True
    given = {p.arg for p in parameters(functions[-1].args)} if functions else set()
    return isinstance(node, ast.Name) and node.id in given - {"self", "cls"}


def is_returned(node: ast.expr, file: FileView) -> bool:
    """Return whether what a function returns is computed from a value, by more than a comparison."""
    functions = file.functions(node)
    if not functions:
        return False
    kinds = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)
    statements = [part for part in walk(functions[-1]) if isinstance(part, kinds)]
    names: set[str] = set()
    before = -1
    while before < len(names):
        before = len(names)
        for statement in statements:
            if statement.value is None or not _is_computed_from(statement.value, node, names):
                continue
            if isinstance(statement, ast.Return):
                return True
            names |= set(_targets(statement))
    return False


def _is_computed_from(value: ast.expr, node: ast.expr, names: set[str]) -> bool:
    pending: list[ast.AST] = [value]
    while pending:
        part = pending.pop()
        if part is node or (isinstance(part, ast.Name) and part.id in names):
            return True
        is_end = isinstance(part, ast.Call) and terminal_name(part.func) in WITHOUT_GRADIENT
        if not is_end and not isinstance(part, ast.Compare):
            pending += ast.iter_child_nodes(part)
    return False


def _targets(statement: ast.Assign | ast.AugAssign | ast.AnnAssign) -> Iterator[str]:
    """Yield the names that an assignment binds, without those of indices."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    value = statement.value
    has_indices = isinstance(value, ast.Call) and any(
        k.arg == "return_indices" for k in value.keywords
    )
    for target in targets:
        is_pair = isinstance(target, ast.Tuple) and has_indices
        kept = target.elts[:1] if is_pair and isinstance(target, ast.Tuple) else [target]
        yield from (_base(t) for each in kept for t in _elements(each))


def _elements(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]


def _base(node: ast.expr) -> str:
    """Return the name that an attribute or an element belongs to, empty for anything else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
