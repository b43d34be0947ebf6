"""Dispatches on a value: chains of comparisons, matches, and tables of strings."""

from __future__ import annotations

import ast
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name, text_of

REPORTING = frozenset({"warn", "warning", "error", "critical", "exception", "fatal", "warn_once"})


class Dispatch(NamedTuple):
    """Branches on the values of one subject, and the block for every other value."""

    subject: str
    values: tuple[ast.expr, ...]
    blocks: tuple[list[ast.stmt], ...]
    otherwise: list[ast.stmt]
    default: ast.AST


def dispatch_of(node: ast.If | ast.Match, file: FileView) -> Dispatch | None:
    """Return the dispatch that a statement starts, None if it has no block for other values."""
    if isinstance(node, ast.Match):
        return _of_match(node)
    above = file.parent(node)
    if isinstance(above, ast.If) and above.orelse == [node]:
        return None
    return _of_chain(node) if node.orelse else _of_returns(node, above)


def is_last_literal(subject: str, values: int, function: Function, file: FileView) -> bool:
    """Return whether a parameter is one of some literals by its annotation, of which one is left to a default."""
    taken = next((p for p in parameters(function.args) if p.arg == subject), None)
    annotation = taken.annotation if taken is not None else None
    if isinstance(annotation, ast.Name):
        annotation = _alias(annotation.id, file)
    if not isinstance(annotation, ast.Subscript) or terminal_name(annotation.value) != "Literal":
        return False
    listed = (
        annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    )
    return len(listed) - values <= 1


def union_members(subject: ast.expr, file: FileView) -> list[str]:
    """Return the classes of the union with which a parameter is annotated, none without one."""
    functions = file.functions(subject)
    given = parameters(functions[-1].args) if functions else ()
    annotation = next((p.annotation for p in given if p.arg == dotted(subject)), None)
    if isinstance(annotation, ast.Name):
        annotation = _alias(annotation.id, file)
    if isinstance(annotation, ast.Subscript) and terminal_name(annotation.value) == "Union":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
        return [dotted(part) for part in parts]
    found: list[str] = []
    while isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        found.insert(0, dotted(annotation.right))
        annotation = annotation.left
    return [dotted(annotation), *found] if found and annotation is not None else []


def _alias(name: str, file: FileView) -> ast.expr | None:
    """Return what a name of the module stands for."""
    for statement in file.tree.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(target, ast.Name) and target.id == name:
            assert isinstance(statement, (ast.Assign, ast.AnnAssign))
            return statement.value
    return None


def is_reported(block: list[ast.stmt]) -> bool:
    """Return whether a block raises, asserts or warns."""
    for statement in block:
        if scan(statement, {ast.Raise, ast.Assert}):
            return True
        calls = (call for call in scan(statement, {ast.Call}) if isinstance(call, ast.Call))
        if any(terminal_name(call.func) in REPORTING for call in calls):
            return True
    return False


def is_text(node: ast.expr) -> bool:
    """Return whether an expression is a literal string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_member(node: ast.expr) -> bool:
    """Return whether an expression reads like a member of an enumeration: `Stage.GROWN`."""
    return isinstance(node, ast.Attribute) and node.attr.isupper() and bool(dotted(node.value))


def _of_match(node: ast.Match) -> Dispatch | None:
    *cases, last = node.cases
    is_default = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    if not is_default or last.guard is not None:
        return None
    patterns = [p for case in cases for p in _alternatives(case.pattern)]
    values = tuple(p.value for p in patterns if isinstance(p, ast.MatchValue))
    if len(values) != len(patterns):
        return None
    blocks = tuple(case.body for case in cases)
    return Dispatch(text_of(node.subject), values, blocks, last.body, last.pattern)


def _alternatives(pattern: ast.pattern) -> list[ast.pattern]:
    return pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]


def _of_chain(node: ast.If) -> Dispatch | None:
    subject, values, blocks = "", [], []
    current = node
    while True:
        compared = _compared(current.test)
        if compared is None or subject not in ("", compared[0]):
            return None
        subject = compared[0]
        values += compared[1]
        blocks.append(current.body)
        if len(current.orelse) == 1 and isinstance(current.orelse[0], ast.If):
            current = current.orelse[0]
            continue
        if not current.orelse:
            return None
        return Dispatch(subject, tuple(values), tuple(blocks), current.orelse, current.orelse[0])


def _of_returns(node: ast.If, above: ast.AST | None) -> Dispatch | None:
    """Return the dispatch by `if x == a: return ...` one after the other, with the `return` behind them."""
    body: list[ast.stmt] = above.body if isinstance(above, (ast.FunctionDef, ast.With)) else []
    if node not in body:
        return None
    found: list[ast.If] = []
    subject = ""
    start = body.index(node)
    before = body[start - 1] if start else None
    if isinstance(before, ast.If) and (_compared(before.test) or ("",))[0] == text_of(_left(node)):
        return None
    for statement in body[start:]:
        compared = _compared(statement.test) if isinstance(statement, ast.If) else None
        if (
            compared is None
            or not isinstance(statement, ast.If)
            or subject not in ("", compared[0])
        ):
            break
        if statement.orelse or not isinstance(statement.body[-1], (ast.Return, ast.Raise)):
            return None
        subject = compared[0]
        found.append(statement)
    rest = body[start + len(found) :]
    if len(rest) != 1 or not found:
        return None
    values = [value for s in found for value in (_compared(s.test) or ("", []))[1]]
    return Dispatch(subject, tuple(values), tuple(s.body for s in found), rest, rest[0])


def _left(node: ast.If) -> ast.expr:
    return node.test.left if isinstance(node.test, ast.Compare) else node.test


def _compared(test: ast.expr) -> tuple[str, list[ast.expr]] | None:
    """Return the subject and the values of `x == value` or `x in (value, value)`."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    subject, value = text_of(test.left), test.comparators[0]
    if isinstance(test.ops[0], (ast.Eq, ast.Is)) and (is_text(value) or is_member(value)):
        return subject, [value]
    is_list = isinstance(value, (ast.Tuple, ast.List, ast.Set))
    if isinstance(test.ops[0], ast.In) and is_list:
        elements = list(value.elts)  # type: ignore[attr-defined]  # a display
        if elements and all(is_text(e) or is_member(e) for e in elements):
            return subject, elements
    return None
