"""The constant keys that a function writes to the dict that it returns or saves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import children, scan, walk
from esper_audit.source.syntax.names import Function, dotted, parameters

SAVERS = frozenset({"save", "dump", "dumps", "safe_dump", "save_file"})
DICTS = frozenset({"dict", "OrderedDict"})
INSPECTIONS = frozenset({"isinstance", "len", "bool", "type", "print"})


class KeyWrite(NamedTuple):
    """The written keys, and whether there may be others."""

    keys: frozenset[str]
    is_open: bool


NO_KEYS = KeyWrite(frozenset(), is_open=False)
UNKNOWN_KEYS = KeyWrite(frozenset(), is_open=True)


def written_keys(function: Function, *, with_several: bool = False) -> KeyWrite | None:
    """Return the keys of the dict that a function returns or saves, or None without exactly one dict.

    `with_several` is whether the keys of several saved dicts count together.
    """
    saves = [node for node in scan(function, {ast.Call}) if is_call_of(node, SAVERS)]
    payloads = [call.args[0] for call in saves if isinstance(call, ast.Call) and call.args]
    keys = _union([_keys_of_value(p, function) for p in payloads or _returned_values(function)])
    return keys if keys.keys and (with_several or len(payloads) < 2) else None


def is_call_of(value: ast.AST, names: frozenset[str]) -> bool:
    """Return whether a node is a call of a function with one of some names."""
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in names


def _returned_values(function: Function) -> Iterator[ast.expr]:
    for node in scan(function, {ast.Return}):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _keys_of_value(value: ast.expr, function: Function) -> KeyWrite:
    if isinstance(value, ast.Dict):
        return _constant_keys(value.keys)
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in DICTS:
        positional = [
            _keys_of_value(a, function) if isinstance(a, ast.Dict) else UNKNOWN_KEYS
            for a in value.args
        ]
        return _union([_keys_of_keywords(value), *positional])
    if isinstance(value, ast.Name):
        return _keys_of_variable(value.id, function)
    is_none = isinstance(value, ast.Constant) and value.value is None
    return NO_KEYS if is_none else UNKNOWN_KEYS


def _keys_of_variable(name: str, function: Function) -> KeyWrite:
    """Return the keys of a local variable: its initial keys and all keys added to it."""
    parents = {child: node for node in walk(function) for child in children(node)}
    uses = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == name]
    is_parameter = any(parameter.arg == name for parameter in parameters(function.args))
    if is_parameter or not uses:
        return UNKNOWN_KEYS
    return _union([_keys_of_use(use, parents, function) for use in uses])


def _keys_of_use(use: ast.Name, parents: dict[ast.AST, ast.AST], function: Function) -> KeyWrite:
    parent = parents[use]
    if isinstance(use.ctx, ast.Store):
        return _keys_of_assignment(parent, function)
    if isinstance(parent, ast.Subscript) and parent.value is use:
        return _constant_keys([parent.slice]) if isinstance(parent.ctx, ast.Store) else NO_KEYS
    if isinstance(parent, ast.Attribute):
        return _keys_of_method(parent.attr, parents[parent])
    is_inspection = is_call_of(parent, SAVERS | INSPECTIONS) or isinstance(
        parent, (ast.Return, ast.Compare)
    )
    return NO_KEYS if is_inspection else UNKNOWN_KEYS


def _keys_of_assignment(statement: ast.AST, function: Function) -> KeyWrite:
    is_plain = isinstance(statement, (ast.Assign, ast.AnnAssign))
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if not is_plain or isinstance(value, ast.Name):
        return UNKNOWN_KEYS
    return _keys_of_value(value, function) if value is not None else NO_KEYS


def _keys_of_method(method: str, call: ast.AST) -> KeyWrite:
    """Return the keys that a method call adds to the dict."""
    if not isinstance(call, ast.Call):
        return UNKNOWN_KEYS
    if method == "setdefault":
        return _constant_keys(call.args[:1])
    if method != "update":
        return NO_KEYS
    positional = [
        _constant_keys(a.keys) if isinstance(a, ast.Dict) else UNKNOWN_KEYS for a in call.args
    ]
    return _union([_keys_of_keywords(call), *positional])


def _keys_of_keywords(call: ast.Call) -> KeyWrite:
    names = [keyword.arg for keyword in call.keywords]
    return KeyWrite(frozenset(name for name in names if name), is_open=None in names)


def _constant_keys(keys: Sequence[ast.expr | None]) -> KeyWrite:
    known = [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    return KeyWrite(frozenset(known), is_open=len(known) != len(keys))


def _union(parts: Sequence[KeyWrite]) -> KeyWrite:
    keys = frozenset(key for part in parts for key in part.keys)
    return KeyWrite(keys, is_open=any(part.is_open for part in parts))
