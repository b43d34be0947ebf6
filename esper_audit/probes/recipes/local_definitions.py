"""Classes and functions that are local to a function, and lambdas: found in the source, and made again.

Such an object has no name to import it by. Its path leads through what is around it, such as
`tests/test_model.py:Test.test_call.<locals>.Model`, and has a number where others have its name, `<lambda>:2`.
What it reads of variables around it is given.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import symtable
from collections.abc import Collection, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeAlias

LOCAL = "<locals>"
LAMBDA = "<lambda>"
MADE = "made"
Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def is_local(path: str) -> bool:
    """Return whether a path leads into a function, or to a lambda."""
    return LOCAL in path or LAMBDA in path


def made_again(module: ModuleType, path: str, given: Mapping[str, Any]) -> Any:
    """Return a new class or function, given the variables around it that it reads.

    Raise AttributeError if the module has no such definition, or several.
    """
    file = str(vars(module)["__file__"])
    found = definition_at(file, path)
    if found is None:
        raise AttributeError(f"module '{module.__name__}' has no single definition of {path}")
    flags = __future__.annotations.compiler_flag  # annotations may name variables around it
    code = compile(factory(found, MADE, given), file, "exec", flags=flags, dont_inherit=True)
    scope: dict[str, Any] = {}
    exec(code, vars(module), scope)  # noqa: S102  # code of the tree, which probing runs
    return scope[MADE](**given)


def definition_at(file: str, path: str) -> Definition | None:
    """Return what a path leads to in a file, None unless it is one definition."""
    found = _scope_at(file, path)
    return None if isinstance(found, ast.Module) else found


def numbered_path(file: str, path: str, line: int) -> str:
    """Return the path of what is defined around a line, with its number where several have its name.

    It is empty unless there is one.
    """
    around, _, name = path.rpartition(".")
    scope = _scope_at(file, around)
    named = [] if scope is None else _named_in(scope, name)
    numbers = [number for number, one in enumerate(named, 1) if line in _lines_of(one)]
    if len(numbers) != 1:
        return ""
    last = name if len(named) == 1 else f"{name}:{numbers[0]}"
    return f"{around}.{last}" if around else last


def factory(definition: Definition, name: str, given: Collection[str]) -> ast.Module:
    """Return the source of a function that returns what is defined, from the variables around it."""
    if isinstance(definition, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(definition)]
    else:
        body = [definition, ast.Return(ast.Name(definition.name, ast.Load()))]
    function = ast.parse(f"def {name}({', '.join(sorted(given))}): pass")
    assert isinstance(function.body[0], ast.FunctionDef)
    function.body[0].body = body
    return ast.fix_missing_locations(function)


def globals_of(definition: Definition, given: Collection[str]) -> list[str]:
    """Return the names that a definition reads and that are neither given nor built in."""
    text = ast.unparse(factory(definition, MADE, given))
    pending = symtable.symtable(text, "<definition>", "exec").get_children()
    names: set[str] = set()
    while pending:
        table = pending.pop()
        pending += table.get_children()
        names |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return sorted(name for name in names if name not in vars(builtins))


def import_of(module: ModuleType, name: str) -> str:
    """Return the line that imports a global name of a module, as the module does where it can."""
    for node in _tree_of(str(vars(module)["__file__"])).body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        is_relative = isinstance(node, ast.ImportFrom) and bool(node.level)
        for alias in [] if is_relative else node.names:
            if (alias.asname or alias.name.partition(".")[0]) == name:
                return ast.unparse(_with_alias(node, alias))
    return f"from {module.__name__} import {name}"


def _with_alias(node: ast.stmt, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.ImportFrom):
        return ast.ImportFrom(node.module, [alias], 0)
    return ast.Import([alias])


@functools.cache
def _tree_of(file: str) -> ast.Module:
    with open(file, encoding="utf-8") as stream:
        return ast.parse(stream.read())


def _name_of(definition: Definition) -> str:
    return LAMBDA if isinstance(definition, ast.Lambda) else definition.name


def _definitions_in(scope: ast.AST) -> Iterator[Definition]:
    """Yield the definitions of a scope in order, without those inside other definitions."""
    pending = [*ast.iter_child_nodes(scope)]
    while pending:
        node = pending.pop(0)
        if isinstance(node, DEFINITIONS):
            yield node
        else:
            pending = [*ast.iter_child_nodes(node), *pending]


def _scope_at(file: str, path: str) -> ast.Module | Definition | None:
    found: ast.Module | Definition | None = _tree_of(file)
    for part in path.split("."):
        if part in ("", LOCAL) or found is None:
            continue
        name, _, number = part.partition(":")
        named = _named_in(found, name)
        named = named[int(number) - 1 :][:1] if number else named
        found = named[0] if len(named) == 1 else None
    return found


def _named_in(scope: ast.AST, name: str) -> list[Definition]:
    """Return what has a name in a scope, in order."""
    return [one for one in _definitions_in(scope) if _name_of(one) == name]


def _lines_of(definition: Definition) -> range:
    """Return the lines of a definition, for a function or lambda those on which its code may begin."""
    decorators = [] if isinstance(definition, ast.Lambda) else definition.decorator_list
    first = min(node.lineno for node in (definition, *decorators))
    last = definition.end_lineno if isinstance(definition, ast.ClassDef) else definition.lineno
    return range(first, (last or first) + 1)
