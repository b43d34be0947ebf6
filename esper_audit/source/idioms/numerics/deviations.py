"""What a standard deviation measures: the samples of a batch, or an array of numpy."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.gradient_modes import is_differentiated
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import parameters, text_of


def is_of_batch(call: TensorCall, file: FileView) -> bool:
    """Return whether dim 0 holds a batch: in a loss or a module, or where a sum is divided by."""
    functions = file.functions(call.node)
    divisions = [
        part.right
        for part in (walk(functions[-1]) if functions else ())
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
    ]
    has_epsilon = any(isinstance(d, ast.BinOp) and isinstance(d.op, ast.Add) for d in divisions)
    return has_epsilon or is_differentiated(call.node, file)


def is_of_numpy(call: TensorCall, file: FileView) -> bool:
    """Return whether what is measured belongs to an array of numpy, whose estimate divides by n."""
    names = {part.id for part in walk(call.subject) if isinstance(part, ast.Name)}
    given = [p for function in file.functions(call.node) for p in parameters(function.args)]
    annotations = [p.annotation for p in given if p.arg in names and p.annotation is not None]
    return any("ndarray" in text_of(annotation) for annotation in annotations)
