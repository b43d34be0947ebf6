"""Conditions by which a caller decides whether a function works on a copy."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.aliasing.argument_part import Environment
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan, walk
from esper_audit.source.syntax.names import dotted, identifiers


def is_about_copying(test: ast.expr) -> bool:
    """Return whether a condition decides, by the caller's choice, whether to work on a copy."""
    words = [word.lower() for node in walk(test) for word in _words_of(node)]
    return any(mark in word for word in words for mark in ("inplace", "in_place", "copy", "clone"))


def _words_of(node: ast.AST) -> tuple[str, ...]:
    """Return the identifiers and strings of a node itself."""
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    return identifiers(node)


def without_copied(statement: ast.If, now: Environment) -> Environment:
    """Return what the names share without those that a branch binds: the caller has the choice."""
    bound = {
        dotted(target)
        for node in scan(statement, {ast.Assign}, NESTED_SCOPES)
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    return {name: origins for name, origins in now.items() if name not in bound}
