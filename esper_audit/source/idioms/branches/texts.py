"""Texts that stand in a condition by themselves, where another comparison was meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function


def texts_as_conditions(
    function: Function, branches: Sequence[ast.AST], file: FileView
) -> Iterator[tuple[ast.BoolOp, str]]:
    """Yield each `or` of a comparison and a text (`x == "a" or "b"`), with the text."""
    for branch in branches:
        test = branch.test if isinstance(branch, (ast.If, ast.IfExp)) else None
        for part in walk(test) if test is not None else ():
            if not isinstance(part, ast.BoolOp) or not isinstance(part.op, ast.Or):
                continue
            texts = [v for v in part.values if isinstance(v, ast.Constant) and v.value]
            texts = [text for text in texts if isinstance(text.value, str)]
            is_compared = any(isinstance(value, ast.Compare) for value in part.values)
            is_condition = not isinstance(file.parent(part), (ast.Compare, ast.Call))
            if texts and is_compared and is_condition and not is_nested(part, function, file):
                yield part, file.code(texts[0])


def is_nested(test: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a condition is in a function inside a function, which is checked by itself."""
    around = file.functions(test)
    inside = around[around.index(function) + 1 :] if function in around else []
    return any(isinstance(inner, ast.FunctionDef) for inner in inside)
