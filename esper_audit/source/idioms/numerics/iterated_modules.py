"""Modules whose parameters a loop goes through, and those whose parameters a class freezes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import dotted, text_of


def iterated_modules(loop: ast.For) -> Iterator[tuple[str, str]]:
    """Yield each loop variable with the code of the module whose parameters it goes through."""
    iterated = loop.iter
    is_zip = isinstance(iterated, ast.Call) and dotted(iterated.func) == "zip"
    sources = iterated.args if is_zip and isinstance(iterated, ast.Call) else [iterated]
    targets = loop.target.elts if is_zip and isinstance(loop.target, ast.Tuple) else [loop.target]
    for target, source in zip(targets, sources, strict=False):
        if isinstance(target, ast.Tuple):
            target = target.elts[-1]
        method = source.func if isinstance(source, ast.Call) else None
        if not isinstance(method, ast.Attribute) or "parameters" not in method.attr:
            continue
        if dotted(target):
            yield dotted(target), text_of(method.value)


def frozen_modules(family: ClassFamily | None) -> set[str]:
    """Return the code of the modules whose parameters a class freezes."""
    found: set[str] = set()
    for member in family.members if family is not None else ():
        for node in scan(member.definition, {ast.For, ast.Call}):
            if isinstance(node, ast.For):
                sources = {source for _, source in iterated_modules(node)}
                found |= sources if sources and _has_freeze(node) else set()
            elif isinstance(node, ast.Call) and _is_freezing(node):
                found.add(text_of(node.func.value))  # type: ignore[attr-defined]  # a method
        for name, uses in member.bound.items():
            if any(_is_freezing(use.value) for use in uses):
                found.add(f"self.{name}")
    return found


def _is_freezing(node: ast.AST | None) -> bool:
    """Return whether a node is a call of `requires_grad_(False)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    values = [*node.args, *(k.value for k in node.keywords)]
    is_off = any(isinstance(v, ast.Constant) and v.value is False for v in values)
    return node.func.attr == "requires_grad_" and is_off


def _has_freeze(loop: ast.For) -> bool:
    code = ast.unparse(loop)
    return "requires_grad = False" in code or "requires_grad_(False)" in code
