"""Enumerations, and the literal lists and tables that repeat their members."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import dotted, terminal_name

ENUMS = frozenset({"Enum", "IntEnum", "StrEnum"})
DECLARING = ("TypedDict", "Protocol")
DEFINED = (ast.ClassDef, ast.FunctionDef)
FEWEST = 3
SHARED_PART = 0.6
TABLES = frozenset({ast.List, ast.Tuple, ast.Set, ast.Dict})


class Enumeration(NamedTuple):
    """What names things: its name, the names in order, and their values where all are strings.

    Its `kind` is an enum, a TypedDict, a Protocol or a registry that a decorator fills.
    """

    name: str
    members: tuple[str, ...]
    values: tuple[str, ...]
    kind: str = "enum"


class NameTable(NamedTuple):
    """A literal list or table, its strings, and the members of one class that it names (`Stage.A`).

    `name` is what it is assigned to, empty for any other place. A table that is `shared` belongs to the
    module or to a class.
    """

    node: ast.expr
    name: str
    texts: tuple[str, ...]
    owner: str
    members: tuple[str, ...]
    is_shared: bool = False


def enumerations(tree: ast.Module) -> Iterator[Enumeration]:
    """Yield the enums, TypedDicts and Protocols of a module that name enough, aliases left out."""
    for definition in tree.body:
        if not isinstance(definition, ast.ClassDef):
            continue
        bases = {terminal_name(base) for base in definition.bases}
        kinds = [kind for kind in DECLARING if kind in bases]
        declared = tuple(_declared(definition)) if kinds else ()
        if len(declared) >= FEWEST:
            yield Enumeration(definition.name, declared, (), kinds[0])
        if ENUMS.isdisjoint(bases):
            continue
        members = dict(_members(definition))
        if len(members) >= FEWEST:
            values = [v for v in members.values() if isinstance(v, str)]
            texts = tuple(values) if len(values) == len(members) else ()
            yield Enumeration(definition.name, tuple(members), texts)


def registrations(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name under which a decorator registers a definition, with the decorator."""
    for definition in scan(tree, {ast.ClassDef, ast.FunctionDef}):
        decorators = definition.decorator_list if isinstance(definition, DEFINED) else []
        for call in (d for d in decorators if isinstance(d, ast.Call) and d.args):
            name = call.args[0]
            if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
                continue
            if "register" in dotted(call.func).lower():
                yield dotted(call.func), name.value


def registries(found: list[tuple[str, str, str]]) -> Iterator[tuple[str, Enumeration]]:
    """Yield what the (path, decorator, name) of a tree register, with the path of the first."""
    for decorator in dict.fromkeys(decorator for _, decorator, _ in found):
        own = [(path, name) for path, by, name in found if by == decorator]
        names = tuple(dict.fromkeys(name for _, name in own))
        if len(names) >= FEWEST:
            yield own[0][0], Enumeration(decorator, names, (), "registry")


def name_tables(tree: ast.Module) -> Iterator[NameTable]:
    """Yield the literal lists and tables of a module that consist of names."""
    named = {}
    for node in scan(tree, {ast.Assign, ast.AnnAssign}):
        if isinstance(node, ast.Assign):
            named[node.value] = terminal_name(node.targets[0])
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            named[node.value] = terminal_name(node.target)
    bodies = [tree.body, *(s.body for s in tree.body if isinstance(s, ast.ClassDef))]
    statements = [s for body in bodies for s in body if isinstance(s, ast.Assign | ast.AnnAssign)]
    shared = {statement.value for statement in statements}
    for node in scan(tree, TABLES):
        found = _table(node, named.get(node, "")) if isinstance(node, ast.expr) else None
        if found is not None:
            yield found._replace(is_shared=node in shared)


def _declared(definition: ast.ClassDef) -> Iterator[str]:
    """Yield the public keys, attributes and methods that the body of a class declares."""
    for statement in definition.body:
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        name = statement.name if isinstance(statement, ast.FunctionDef) else ""
        name = target.id if isinstance(target, ast.Name) else name
        if name and not name.startswith("_"):
            yield name


def _members(definition: ast.ClassDef) -> Iterator[tuple[str, object]]:
    """Yield the members of an enum with their values, without second names for one value."""
    seen: set[object] = set()
    for statement in definition.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(target, ast.Name) or target.id.startswith("_"):
            continue
        assert isinstance(statement, ast.Assign)
        value = statement.value.value if isinstance(statement.value, ast.Constant) else target.id
        if value not in seen:
            seen.add(value)
            yield target.id, value


def _table(node: ast.expr, name: str) -> NameTable | None:
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.Dict):
        parts = [*node.keys]
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        parts = [*node.elts]
    if len(parts) < FEWEST:
        return None
    texts = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
    if len(texts) == len(parts):
        return NameTable(node, name, tuple(texts), "", ())
    members = [p for p in parts if isinstance(p, ast.Attribute) and dotted(p.value)]
    owners = {terminal_name(p.value) for p in members}
    if len(members) == len(parts) and len(owners) == 1:
        return NameTable(node, name, (), owners.pop(), tuple(p.attr for p in members))
    return None


def differences(
    table: tuple[str, ...], names: tuple[str, ...]
) -> tuple[list[str], list[str]] | None:
    """Return what a list lacks and adds where it repeats most of some names, None where it does not."""
    shared = set(table) & set(names)
    if len(shared) < FEWEST or len(shared) < SHARED_PART * max(len(set(table)), len(names)):
        return None
    return [n for n in names if n not in shared], [t for t in table if t not in shared]


def lookups(table: NameTable, tree: ast.Module) -> list[ast.Subscript]:
    """Return where a table is read under a key that is computed, none if code tests for a key first."""
    found = []
    for node in scan(tree, {ast.Subscript, ast.Compare, ast.Attribute}):
        if isinstance(node, ast.Subscript):
            is_read = isinstance(node.ctx, ast.Load) and isinstance(
                node.slice, (ast.Name, ast.Attribute)
            )
            is_own = node.value is table.node or (
                table.name and terminal_name(node.value) == table.name
            )
            if is_read and is_own and not _is_member(node.slice, table.owner):
                found.append(node)
        elif table.name and _asks_first(node, table.name):
            return []
    return found


def is_for_validation(table: NameTable, tree: ast.Module) -> bool:
    """Return whether what is not in a list is refused: by `not in` and a raise, an assert, or `choices`."""
    for node in scan(tree, {ast.If, ast.Assert, ast.keyword}):
        if isinstance(node, ast.keyword):
            if node.arg == "choices" and _is_of(node.value, table):
                return True
            continue
        tests = scan(node.test, {ast.Compare}) if isinstance(node, (ast.If, ast.Assert)) else []
        compared = [
            t for t in tests if isinstance(t, ast.Compare) and _is_of(t.comparators[0], table)
        ]
        wanted = ast.In if isinstance(node, ast.Assert) else ast.NotIn
        refuses = isinstance(node, ast.Assert) or (
            isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)
        )
        if refuses and any(isinstance(t.ops[0], wanted) for t in compared):
            return True
    return False


def is_for_columns(table: NameTable, tree: ast.Module, record: str) -> bool:
    """Return whether a `csv.DictWriter` takes a list for its columns where the module writes such records.

    It refuses a row with a key more.
    """
    annotations = (p.annotation for p in scan(tree, {ast.arg}) if isinstance(p, ast.arg))
    is_written = any(a is not None and record in ast.unparse(a) for a in annotations)
    for call in scan(tree, {ast.Call}) if is_written else ():
        assert isinstance(call, ast.Call)
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        is_lenient = any(keyword.arg == "extrasaction" for keyword in call.keywords)
        is_writer = terminal_name(call.func) == "DictWriter" and not is_lenient
        if is_writer and any(_is_of(value, table) for value in given):
            return True
    return False


def _is_of(node: ast.expr, table: NameTable) -> bool:
    return node is table.node or bool(table.name and terminal_name(node) == table.name)


def _is_member(key: ast.expr, owner: str) -> bool:
    return isinstance(key, ast.Attribute) and terminal_name(key.value) == owner


def _asks_first(node: ast.AST, name: str) -> bool:
    """Return whether a node tests whether a table has a key, or takes a default for it."""
    if isinstance(node, ast.Compare):
        return (
            isinstance(node.ops[0], (ast.In, ast.NotIn))
            and terminal_name(node.comparators[0]) == name
        )
    return (
        isinstance(node, ast.Attribute) and node.attr == "get" and terminal_name(node.value) == name
    )
