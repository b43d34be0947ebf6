"""Which functions of a file may divide by a norm."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left

from esper_audit.source.idioms.norms.norm_helpers import NormHelpers
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

NORM_WORDS = "norm|sqrt|param"


class NormDivisions:
    """The functions of a file that may divide by a norm, by the lines of its divisions and powers."""

    def __init__(self, file: FileView) -> None:
        operations: list[ast.BinOp | ast.AugAssign] = [
            *file.nodes(ast.BinOp),
            *file.nodes(ast.AugAssign),
        ]
        self._divisions = sorted(n.lineno for n in operations if _is_by_variable(n))
        self._powers = sorted(n.lineno for n in operations if isinstance(n.op, ast.Pow))
        self._norms = re.compile(
            "|".join([NORM_WORDS, *file.once(NormHelpers).norms]), re.IGNORECASE
        )

    def has_possible_norm_division(self, function: Function, file: FileView) -> bool:
        """Return whether a function divides and contains a word that a norm or a count needs."""
        text = ""
        if not _is_between(self._divisions, function):
            text = file.text(function)
            if ".div" not in text and "divide(" not in text:
                return False
        if _is_between(self._powers, function):
            return True
        return bool(self._norms.search(text or file.text(function)))


def _is_by_variable(operation: ast.BinOp | ast.AugAssign) -> bool:
    """Return whether an operation divides by something else than a number."""
    below = operation.right if isinstance(operation, ast.BinOp) else operation.value
    return operation.op.__class__ is ast.Div and below.__class__ is not ast.Constant


def _is_between(lines: list[int], function: Function) -> bool:
    """Return whether one of the sorted lines lies in a function."""
    position = bisect_left(lines, function.lineno)
    return position < len(lines) and lines[position] <= (function.end_lineno or 0)
