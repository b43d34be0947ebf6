"""The functions of a file that return a norm of their argument, or that bound a value."""

from __future__ import annotations

import ast
from functools import cached_property

from esper_audit.source.idioms.norms.norm_expressions import (
    BOUNDING,
    is_library_norm,
    is_row_norm,
    name_of,
    norm_argument,
    strip_conversions,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function


class NormHelpers:
    """The functions of a file that return a norm of their argument, and those that bound something."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self.norms: dict[str, bool] = {}
        functions: list[Function] = [
            *file.nodes(ast.FunctionDef),
            *file.nodes(ast.AsyncFunctionDef),
        ]
        for function in functions:
            returned = _only_result(function)
            if returned is not None and _measures_parameter(returned, function):
                self.norms[function.name] = is_row_norm(returned)

    @cached_property
    def bounding(self) -> frozenset[str]:
        """The names of the functions that call something which bounds a value."""
        return frozenset(
            function.name
            for call in self._file.nodes(ast.Call)
            if BOUNDING.search(name_of(call))
            for function in self._file.functions(call)
        )


def _only_result(function: Function) -> ast.expr | None:
    """Return what a function returns where nothing but its docstring stands before."""
    last = function.body[-1]
    before = [s for s in function.body[:-1] if not isinstance(s, ast.Expr)]
    return (
        strip_conversions(last.value)
        if isinstance(last, ast.Return) and last.value is not None and not before
        else None
    )


def _measures_parameter(returned: ast.expr, function: Function) -> bool:
    measured = norm_argument(returned)
    names = {argument.arg for argument in function.args.args}
    return is_library_norm(returned) and isinstance(measured, ast.Name) and measured.id in names
