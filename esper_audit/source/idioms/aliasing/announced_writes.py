"""Whether a function announces that it modifies an argument: by name, flag, docstring or comment."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.aliasing.alias_flow import ArgumentWrite
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, parameters

DOCUMENTED = re.compile(r"(?i)in[- ]?place|\bmodif(y|ies|ied)|\bmutat|\boverwrit|\bupdated? ")
COMPILED = re.compile(r"triton|numba|njit|mutates_args|cuda\.jit")


def has_choice(function: Function) -> bool:
    """Return whether the caller decides by a flag whether the argument is modified."""
    return any("inplace" in name for name in (p.arg for p in parameters(function.args)))


def is_announced(write: ArgumentWrite, function: Function, file: FileView) -> bool:
    """Return whether name, flags, docstring or a comment announce that the argument is modified."""
    is_named = function.name.endswith("_") and not function.name.endswith("__")
    if is_named or has_choice(function):
        return True
    owner = file.once(class_table).owner(function)
    comment = file.source.lines[write.node.lineno - 1].partition("#")[2]
    texts = [ast.get_docstring(function) or "", comment]
    if owner is not None and function.name in ("forward", "__call__"):
        texts.append(ast.get_docstring(owner) or "")
    if any(DOCUMENTED.search(text) for text in texts):
        return True
    marks = [*function.decorator_list, *scan(function, {ast.Attribute})]
    return any(COMPILED.search(ast.unparse(mark)) for mark in function.decorator_list) or any(
        isinstance(mark, ast.Attribute) and mark.attr == "mark_dirty" for mark in marks
    )
