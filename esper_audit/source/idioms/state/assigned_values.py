"""The values that the functions of a file assign to local variables."""

from __future__ import annotations

import ast

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted


class AssignedValues:
    """The value of each local variable of each function, read at the first query for a function."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._by_function: dict[Function, dict[str, ast.expr]] = {}

    def held(self, value: ast.expr, function: Function) -> ast.expr:
        """Return what a value is, through one local variable."""
        if value.__class__ is not ast.Name:
            return value
        if function not in self._by_function:
            self._by_function[function] = {
                dotted(node.targets[0]): node.value
                for node in reversed(self._file.inside(function, ast.Assign))
            }
        return self._by_function[function].get(value.id, value)
