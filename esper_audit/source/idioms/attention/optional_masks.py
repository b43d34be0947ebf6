"""Functions that return None for a mask where an optional argument is missing."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.attention.causal_masks import guards, required_arguments
from esper_audit.source.syntax.ast_walk import returned_values
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, is_constant, parameters

# What decides about causality itself, or holds what came before.
CAUSAL_NAME = re.compile(r"causal|autoregress|future|look_?ahead|past|cache|memory|state")


def mask_given_up(made: ast.Call, file: FileView) -> tuple[ast.expr, str] | None:
    """Return the test, and its optional argument, by which a function returns None instead of a mask."""
    functions = file.functions(made)
    if not functions or not _is_returned(made, functions[-1], file):
        return None
    optional = _optional_arguments(functions[-1])
    for test, outcome in guards(made, functions[-1], file):
        branch = file.parent(test)
        is_exit = isinstance(branch, ast.If) and isinstance(branch.body[-1], ast.Return)
        left = branch.body[-1].value if is_exit and isinstance(branch, ast.If) else test  # type: ignore[attr-defined]  # a return
        if outcome or not (left is None or is_constant(left, None)):
            continue
        for name in required_arguments(test, outcome):
            if name in optional and not CAUSAL_NAME.search(name):
                return test, name
    return None


def _is_returned(made: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether a function returns what it computes from a mask."""
    statement = file.enclosing(made)[-1]
    names = {dotted(t) for t in statement.targets} if isinstance(statement, ast.Assign) else set()
    return any(
        part is made or dotted(part) in names - {""}
        for value in returned_values(function)
        for part in ast.walk(value)
        if isinstance(part, ast.expr)
    )


def _optional_arguments(function: Function) -> set[str]:
    """Return the arguments that may be None by their default or annotation."""
    names = {name for name, value in defaults(function.args).items() if is_constant(value, None)}
    for parameter in parameters(function.args):
        annotation = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
        if annotation.startswith("Optional[") or annotation.endswith("| None"):
            names.add(parameter.arg)
    return names
