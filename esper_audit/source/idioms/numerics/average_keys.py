"""The keys under which a table of averages holds the parameters, and those it is read under."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import dotted, terminal_name, text_of

NAMED = frozenset({"named_parameters", "named_buffers", "state_dict"})
HOLE = "{}"


def unheld_keys(
    loop: ast.For, family: ClassFamily, file: FileView
) -> Iterator[tuple[ast.expr, str, str, str]]:
    """Yield each question of a loop over named parameters for a key that its table never has.

    With the question come the table, how it makes its keys and how the loop makes the one it asks for.
    """
    name, source = _named(loop.target, loop.iter)
    for node in scan(loop, {ast.Compare, ast.Call}) if name else ():
        key, table = _asked(node)
        if key is None or not table.startswith("self."):
            continue
        asked = _made_from(_only_value(key, file), name)
        held = set(_keys(table, source, family))
        if asked and len(held) == 1 and asked not in held and isinstance(node, ast.expr):
            yield node, table, held.pop(), asked


def _asked(node: ast.AST) -> tuple[ast.expr | None, str]:
    """Return the key that a node looks up without an error, and the table."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        return node.left, dotted(node.comparators[0])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        return node.args[0], dotted(node.func.value) if node.func.attr == "get" else ""
    return None, ""


def _only_value(key: ast.expr, file: FileView) -> ast.expr:
    values = file.once(FunctionValues).reaching(key) if isinstance(key, ast.Name) else []
    value = values[0].value if len(values) == 1 and values[0].index is None else None
    return key if value is None else value


def _keys(table: str, source: str, family: ClassFamily) -> Iterator[str]:
    """Yield how a class makes the keys of a table from the names of a module's parameters, as text."""
    for member in family.members:
        for node in scan(member.definition, {ast.Assign, ast.For}):
            if isinstance(node, ast.Assign) and table in map(dotted, node.targets):
                yield from _of_comprehension(node.value, source)
            elif isinstance(node, ast.For):
                yield from _of_stores(node, table, source)


def _of_comprehension(value: ast.expr, source: str) -> Iterator[str]:
    if isinstance(value, ast.DictComp):
        name, over = _named(value.generators[0].target, value.generators[0].iter)
        if name and over == source:
            yield _made_from(value.key, name)


def _of_stores(loop: ast.For, table: str, source: str) -> Iterator[str]:
    name, over = _named(loop.target, loop.iter)
    for node in scan(loop, {ast.Assign}) if name and over == source else ():
        assert isinstance(node, ast.Assign)
        for target in node.targets:
            if isinstance(target, ast.Subscript) and dotted(target.value) == table:
                yield _made_from(target.slice, name)


def _named(target: ast.expr, iterated: ast.expr) -> tuple[str, str]:
    """Return the variable for the names of a module's parameters, and the module, empty without."""
    call = iterated
    if isinstance(call, ast.Call) and terminal_name(call.func) == "items":
        call = call.func.value if isinstance(call.func, ast.Attribute) else call
    is_named = isinstance(call, ast.Call) and terminal_name(call.func) in NAMED
    if not is_named or not isinstance(target, ast.Tuple) or not isinstance(call, ast.Call):
        return "", ""
    module = call.func.value if isinstance(call.func, ast.Attribute) else call
    return dotted(target.elts[0]), text_of(module)


def _made_from(key: ast.expr, name: str) -> str:
    """Return how a key is made from a name: `{}`, `module.{}`, empty where it may be the name after all."""
    if dotted(key) == name:
        return HOLE
    if isinstance(key, ast.BinOp) and isinstance(key.op, ast.Add):
        parts = [_part(key.left, name), _part(key.right, name)]
        return "".join(parts) if all(parts) else ""
    if isinstance(key, ast.JoinedStr):
        shown = [p.value if isinstance(p, ast.FormattedValue) else p for p in key.values]
        parts = [_part(part, name) for part in shown]
        return "".join(parts) if all(parts) else ""
    return ""


def _part(part: ast.expr, name: str) -> str:
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return part.value
    return HOLE if dotted(part) == name else ""
