"""What a standard deviation measures: the samples of a batch, or an array of numpy."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.numerics.gradient_modes import (
    is_differentiated,
    is_loss,
    is_without_gradients,
)
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, passed_arguments
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues, LocalValue
from esper_audit.source.syntax.names import parameters, terminal_name, text_of

MAPS = 4
BATCHES = re.compile(r"(?i)batch|sampler|^get$|^sample|^iterate|^range$|generator|^randperm$")


def is_of_batch(call: TensorCall, file: FileView) -> bool:
    """Return whether dim 0 holds a batch: in a loss, or where a sum is divided by outside of layers."""
    if is_without_gradients(call.node, file):
        return False
    if is_loss(call.node, file):
        return True
    functions = file.functions(call.node)
    divisions = [
        part.right
        for part in (walk(functions[-1]) if functions else ())
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
    ]
    has_epsilon = any(isinstance(d, ast.BinOp) and isinstance(d.op, ast.Add) for d in divisions)
    # A layer has a first axis that its caller chooses: frames, or a batch that batch norm refuses too.
    return has_epsilon and not is_differentiated(call.node, file)


def is_of_maps(call: TensorCall, file: FileView) -> bool:
    """Return whether dim 0 is the batch of pictures or volumes: the function takes their shape apart."""
    functions = file.functions(call.node)
    measured = text_of(call.subject)
    assigned = (n for n in (walk(functions[-1]) if functions else ()) if isinstance(n, ast.Assign))
    return any(
        isinstance(node.targets[0], ast.Tuple)
        and len(node.targets[0].elts) >= MAPS
        and text_of(node.value) in (f"{measured}.shape", f"{measured}.size()")
        for node in assigned
    )


def is_of_numpy(call: TensorCall, file: FileView) -> bool:
    """Return whether what is measured belongs to an array of numpy, whose estimate divides by n."""
    parts = [part for part in walk(call.subject) if isinstance(part, ast.Name)]
    found = (v.value for part in parts for v in file.once(FunctionValues).reaching(part))
    parts += [p for value in found if value for p in walk(value) if isinstance(p, ast.Name)]
    names = {part.id for part in parts}
    given = [p for function in file.functions(call.node) for p in parameters(function.args)]
    annotations = [p.annotation for p in given if p.arg in names and p.annotation is not None]
    return any("ndarray" in text_of(annotation) for annotation in annotations)


def is_minibatch(node: ast.expr, file: FileView) -> bool:
    """Return whether a value is a field of a batch that a loop goes through, or chosen by its indices."""
    for origin in (node, *file.once(ValueOrigins).of(node, calls=0)):
        whole: ast.expr | None = origin.slice if isinstance(origin, ast.Subscript) else None
        whole = origin if isinstance(origin, ast.Name) else whole
        whole = origin.value if isinstance(origin, ast.Attribute) else whole
        if isinstance(whole, ast.Slice):
            whole = whole.lower
        if isinstance(whole, ast.Name):
            values = file.once(FunctionValues).reaching(whole)
            if any(_loop(value, file) for value in values):
                return True
            if any(is_minibatch(given, file) for given in passed_arguments(whole, file)):
                return True
    return False


def _loop(value: LocalValue, file: FileView) -> bool:
    """Return whether a name is the variable of a loop over batches, or cut from one by such a variable."""
    if isinstance(value.value, ast.Name) and value.index is not None:
        return any(_loop(each, file) for each in file.once(FunctionValues).reaching(value.value))
    if isinstance(value.statement, ast.For):
        called = [n for n in walk(value.statement.iter) if isinstance(n, ast.Call)]
        return any(BATCHES.search(terminal_name(c.func)) for c in called)
    if isinstance(value.value, ast.Subscript) and isinstance(value.value.slice, ast.Slice):
        start = value.value.slice.lower
        values = file.once(FunctionValues).reaching(start) if isinstance(start, ast.Name) else []
        return any(isinstance(v.statement, ast.For) for v in values)
    return False
