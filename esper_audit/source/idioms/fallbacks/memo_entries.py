"""The entries that a function keeps in a cache, with the arguments that key and value depend on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import names_in, returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

CLOSED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
# What a key of the shape alone leaves out.
TENSOR_FUNCTION = re.compile(
    r"(torch|numpy)\.(nn\.functional\.|linalg\.|fft\.|special\.)?(?!compile|load|save|is_|get_)[a-z]\w*"
)
UNMEASURED = (ast.Is, ast.IsNot, ast.In, ast.NotIn)
PROPERTIES = frozenset({"device", "dtype"})


class MemoEntry(NamedTuple):
    """An assignment to an entry of a cache that the same function looks up by the same key."""

    statement: ast.Assign
    cache: str
    key: ast.expr


def memo_entries(function: Function) -> Iterator[MemoEntry]:
    """Yield the entries that a function looks up, writes and returns."""
    assigned = [
        node for node in scan(function, {ast.Assign}, CLOSED) if isinstance(node, ast.Assign)
    ]
    entries = [(n, t) for n in assigned for t in n.targets if isinstance(t, ast.Subscript)]
    caches = {dotted(target.value) for _, target in entries} - {""}
    kept = _kept(caches, function) if caches else set[str]()
    if not kept:
        return
    lookups = {*_lookups(function, kept), *_tried(function, kept)}
    returned = {ast.unparse(value) for value in returned_values(function)}
    for node, target in entries:
        if _is_memo(node, target, lookups, returned):
            yield _entry(node, target)


def _entry(node: ast.Assign, target: ast.Subscript) -> MemoEntry:
    return MemoEntry(node, dotted(target.value), target.slice)


def _is_memo(
    node: ast.Assign, target: ast.Subscript, lookups: set[tuple[str, str]], returned: set[str]
) -> bool:
    """Return whether an entry is looked up and returned under the key by which it is written."""
    names = {t.id for t in node.targets if isinstance(t, ast.Name)}
    names |= {ast.unparse(target), ast.unparse(node.value)}
    is_looked_up = (dotted(target.value), ast.unparse(target.slice)) in lookups
    return is_looked_up and bool(names & returned) and not isinstance(target.slice, ast.Constant)


def missing_arguments(entry: MemoEntry, function: Function) -> list[str]:
    """Return the arguments, or their device and dtype, on which a value depends and its key does not."""
    taken = function.args
    names = [p.arg for p in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    names = [name for name in names if name not in ("self", "cls")]
    key = dependencies(entry.key, function, entry.statement)
    value = dependencies(entry.statement.value, function, entry.statement)
    missing: list[str] = []
    names = [name for name in names if not _is_compared(name, entry, function)]
    for name in names:
        needed = {path for path in value if path.split(".")[0] == name}
        given = {path for path in key if path.split(".")[0] == name}
        if name in given or not needed:
            continue
        properties = sorted(p for p in needed - given if p.rpartition(".")[2] in PROPERTIES)
        missing += (
            properties if given else [name] if name in needed else properties or [min(needed)]
        )
    return missing


def is_computed(entry: MemoEntry, function: Function, file: FileView) -> bool:
    """Return whether torch or numpy compute the value of an entry, directly or in a function of the file."""
    pending: list[ast.AST] = [entry.statement.value]
    seen: set[str] = set()
    while pending:
        node = pending.pop()
        calls = [call for call in scan(node, {ast.Call}) if isinstance(call, ast.Call)]
        if any(TENSOR_FUNCTION.fullmatch(file.resolve(call.func) or "") for call in calls):
            return True
        for name in names_in(node) - seen:
            seen.add(name)
            pending += _values(name, function, entry.statement)
        pending += [
            f for f in file.tree.body if isinstance(f, Function) and f.name in _called(calls) - seen
        ]
        seen |= _called(calls)
    return False


def _called(calls: list[ast.Call]) -> set[str]:
    return {dotted(call.func) for call in calls}


def _is_compared(name: str, entry: MemoEntry, function: Function) -> bool:
    """Return whether a condition around an entry compares an argument with what is kept."""
    for node in scan(function, {ast.If}, CLOSED):
        if not isinstance(node, ast.If) or entry.statement not in scan(node, {ast.Assign}):
            continue
        names = names_in(node.test)
        if name in names and (names & {"self", "cls"} or entry.cache in ast.unparse(node.test)):
            return name not in dependencies(entry.key, function, entry.statement)
        if _is_measured(name, entry, node.test, function):
            return True
    return False


def _is_measured(name: str, entry: MemoEntry, test: ast.expr, function: Function) -> bool:
    """Return whether a test compares what is kept, under a local name, with what an argument makes of it."""
    kept = dotted(entry.statement.value)
    for compared in scan(test, {ast.Compare}):
        if not isinstance(compared, ast.Compare) or isinstance(compared.ops[0], UNMEASURED):
            continue
        read = names_in(compared)
        if kept in read and name in dependencies(compared, function, entry.statement):
            return True
    return False


def dependencies(node: ast.AST, function: Function, statement: ast.stmt) -> set[str]:
    """Return the parameters, or the attributes of them, that code depends on, through local names."""
    found: set[str] = set()
    pending: list[ast.AST] = [node]
    seen: set[str] = set()
    names = {p.arg for p in parameters(function.args)}
    while pending:
        for path in _paths(pending.pop()):
            root = path.split(".")[0]
            if root in names:
                found.add(path)
            if root not in seen and root not in names:
                seen.add(root)
                pending += _values(root, function, statement)
    return found


def _values(name: str, function: Function, statement: ast.stmt) -> list[ast.AST]:
    """Return what a local name is bound to, the condition of its loop included."""
    values: list[ast.AST] = []
    for node in scan(
        function, {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.withitem}, CLOSED
    ):
        if isinstance(node, ast.Assign):
            bound = (
                any(name in names_in(target) for target in node.targets) and node is not statement
            )
            values += [node.value] if bound else []
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            values += [node.value] if name in names_in(node.target) else []
        elif isinstance(node, ast.For) and name in names_in(node.target):
            values.append(node.iter)
    return values


def _paths(node: ast.AST) -> Iterator[str]:
    """Yield the names of code, each with its first attribute where it has one."""
    inner: set[ast.AST] = set()
    for part in scan(node, {ast.Attribute}):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            inner.add(part.value)
            yield f"{part.value.id}.{part.attr}"
    for part in scan(node, {ast.Name}):
        if isinstance(part, ast.Name) and part not in inner and isinstance(part.ctx, ast.Load):
            yield part.id


def _lookups(function: Function, caches: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each (cache, key) that a function looks up in some caches."""
    for node in scan(function, {ast.Compare, ast.Call}, CLOSED):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            cache, asked = dotted(node.comparators[0]), node.left
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute):
            cache, asked = dotted(node.func.value), node.args[0]
        else:
            continue
        if cache in caches:
            yield cache, ast.unparse(asked)


def _tried(function: Function, caches: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each (cache, key) of some caches that a function reads where a KeyError is expected."""
    tries = (node for node in scan(function, {ast.Try}, CLOSED) if isinstance(node, ast.Try))
    expecting = (t for t in tries if any(_takes_key_error(h) for h in t.handlers))
    statements = (statement for each in expecting for statement in each.body)
    for part in (part for statement in statements for part in scan(statement, {ast.Subscript})):
        if isinstance(part, ast.Subscript) and dotted(part.value) in caches:
            yield dotted(part.value), ast.unparse(part.slice)


def _takes_key_error(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and dotted(handler.type) == "KeyError"


def _kept(caches: set[str], function: Function) -> set[str]:
    """Return the caches that outlive the call: attributes, and names that the function does not bind."""
    bound = {p.arg for p in parameters(function.args)} - {"self", "cls"}
    for node in scan(function, {ast.Assign, ast.AnnAssign, ast.For}, CLOSED):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, (ast.AnnAssign, ast.For)):
            targets = [node.target]
        bound |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {cache for cache in caches if cache.split(".")[0] not in bound}
