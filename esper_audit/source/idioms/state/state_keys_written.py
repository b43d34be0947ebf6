"""Which constant keys a function writes into the dict that it returns or saves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import children, scan, walk
from esper_audit.source.syntax.names import Function, dotted, parameters

SAVES = frozenset({"save", "dump", "dumps", "safe_dump", "save_file"})
DICTS = frozenset({"dict", "OrderedDict"})
LOOKS = frozenset({"isinstance", "len", "bool", "type", "print"})


class KeyWrite(NamedTuple):
    """The keys of what is saved; `is_open` where there may be others."""

    keys: frozenset[str]
    is_open: bool


NOTHING = KeyWrite(frozenset(), is_open=False)
ANYTHING = KeyWrite(frozenset(), is_open=True)


def written_keys(function: Function) -> KeyWrite | None:
    """Return the keys of the dict that a function returns or saves; None without one, or with several."""
    saves = [node for node in scan(function, {ast.Call}) if calls_one_of(node, SAVES)]
    payloads = [call.args[0] for call in saves if isinstance(call, ast.Call) and call.args]
    written = _joined([_of_value(p, function) for p in payloads or _returned(function)])
    return written if written.keys and len(payloads) < 2 else None


def calls_one_of(value: ast.AST, names: frozenset[str]) -> bool:
    """Return whether a node calls something whose last name is one of some names."""
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in names


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in scan(function, {ast.Return}):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _of_value(value: ast.expr, function: Function) -> KeyWrite:
    if isinstance(value, ast.Dict):
        return _of_keys(value.keys)
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in DICTS:
        given = [
            _of_value(a, function) if isinstance(a, ast.Dict) else ANYTHING for a in value.args
        ]
        return _joined([_of_keywords(value), *given])
    if isinstance(value, ast.Name):
        return _of_variable(value.id, function)
    is_none = isinstance(value, ast.Constant) and value.value is None
    return NOTHING if is_none else ANYTHING


def _of_variable(name: str, function: Function) -> KeyWrite:
    """Return the keys of a local variable: those it starts with, and all that are added to it."""
    parents = {child: node for node in walk(function) for child in children(node)}
    uses = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == name]
    is_given = any(parameter.arg == name for parameter in parameters(function.args))
    if is_given or not uses:
        return ANYTHING
    return _joined([_of_use(use, parents, function) for use in uses])


def _of_use(use: ast.Name, parents: dict[ast.AST, ast.AST], function: Function) -> KeyWrite:
    parent = parents[use]
    if isinstance(use.ctx, ast.Store):
        return _of_assignment(parent, function)
    if isinstance(parent, ast.Subscript) and parent.value is use:
        return _of_keys([parent.slice]) if isinstance(parent.ctx, ast.Store) else NOTHING
    if isinstance(parent, ast.Attribute):
        return _of_method(parent.attr, parents[parent])
    only_looks = calls_one_of(parent, SAVES | LOOKS) or isinstance(
        parent, (ast.Return, ast.Compare)
    )
    return NOTHING if only_looks else ANYTHING


def _of_assignment(statement: ast.AST, function: Function) -> KeyWrite:
    is_plain = isinstance(statement, (ast.Assign, ast.AnnAssign))
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if not is_plain or isinstance(value, ast.Name):
        return ANYTHING
    return _of_value(value, function) if value is not None else NOTHING


def _of_method(method: str, call: ast.AST) -> KeyWrite:
    """Return what a call of a method adds to the dict."""
    if not isinstance(call, ast.Call):
        return ANYTHING
    if method == "setdefault":
        return _of_keys(call.args[:1])
    if method != "update":
        return NOTHING
    given = [_of_keys(a.keys) if isinstance(a, ast.Dict) else ANYTHING for a in call.args]
    return _joined([_of_keywords(call), *given])


def _of_keywords(call: ast.Call) -> KeyWrite:
    names = [keyword.arg for keyword in call.keywords]
    return KeyWrite(frozenset(name for name in names if name), is_open=None in names)


def _of_keys(keys: Sequence[ast.expr | None]) -> KeyWrite:
    known = [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    return KeyWrite(frozenset(known), is_open=len(known) != len(keys))


def _joined(parts: Sequence[KeyWrite]) -> KeyWrite:
    keys = frozenset(key for part in parts for key in part.keys)
    return KeyWrite(keys, is_open=any(part.is_open for part in parts))
