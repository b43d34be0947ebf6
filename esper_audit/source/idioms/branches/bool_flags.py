"""Parameters that are bools by annotation and default, and that a function only compares with None."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.branches.conditions import Atom, ConditionFacts, KnownValue
from esper_audit.source.idioms.fallbacks.argument_defaults import is_none
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, parameters


def bool_flags(function: Function, file: FileView) -> ConditionFacts:
    """Return the facts that parameters which are bools by annotation and default are not None.

    A flag that the function reads otherwise has its effect there.
    """
    given, facts = defaults(function.args), ConditionFacts()
    if not any(isinstance(d, ast.Constant) and isinstance(d.value, bool) for d in given.values()):
        return facts
    compared = {_compared_with_none(node) for node in file.inside(function, ast.Compare)}
    for parameter in (p for p in parameters(function.args) if p.arg in compared):
        default, annotation = given.get(parameter.arg), parameter.annotation
        is_bool = isinstance(default, ast.Constant) and isinstance(default.value, bool)
        is_flag = is_bool and isinstance(annotation, ast.Name) and annotation.id == "bool"
        if is_flag and not _is_read(parameter.arg, function, file):
            reason = f"`{parameter.arg}` is a bool"
            facts.atoms[Atom(parameter.arg, "none")] = KnownValue(truth=False, reason=reason)
    return facts


def _is_read(name: str, function: Function, file: FileView) -> bool:
    """Return whether a function reads a name for more than a comparison with None."""
    reads = (n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name) and n.id == name)
    return any(not _is_none_test(file.parent(read)) for read in reads)


def _compared_with_none(node: ast.Compare) -> str:
    """Return the name that a comparison tests for None, empty for any other comparison."""
    return dotted(node.left) if _is_none_test(node) else ""


def _is_none_test(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Compare) and is_none(node.comparators[0])
