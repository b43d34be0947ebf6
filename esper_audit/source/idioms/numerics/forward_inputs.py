"""The arguments of a forward that reach a method with their graph."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.gradient_modes import ends_graph, is_without_gradients
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters


def handed_inputs(function: Function, forward: Function | None, file: FileView) -> set[str]:
    """Return the arguments of a `forward`, or those of a method to which it hands its own with their graph."""
    given = {p.arg for p in parameters(forward.args)} - {"self"} if forward is not None else set()
    if function is forward or forward is None:
        return given
    own = [p.arg for p in parameters(function.args)][1:]
    found: set[str] = set()
    for call in scan(forward, {ast.Call}):
        is_own = isinstance(call, ast.Call) and dotted(call.func) == f"self.{function.name}"
        if isinstance(call, ast.Call) and is_own and not is_without_gradients(call, file):
            pairs = [*zip(own, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]
            handed = [(n, v) for n, v in pairs if dotted(v) in given and not is_cut(v, file)]
            found |= {name for name, _ in handed if name}
    return found


def is_cut(sample: ast.expr, file: FileView) -> bool:
    """Return whether a value comes from one that ends the graph."""
    return any(ends_graph(origin) for origin in file.once(ValueOrigins).of(sample, calls=0))
