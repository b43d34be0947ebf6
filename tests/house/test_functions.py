"""Budgets of a function: its lines, its nesting, its positional parameters, and how it queries types."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.source_files import Function, SourceFile, offences, package_files, snippet

MOST_LINES = 40
MOST_NESTING = 3
MOST_POSITIONAL = 5
# The signature of this host is the one that users of such systems know.
GIVEN_SIGNATURES = {"esper_ref/hosts/transformer.py"}
BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)


def long_functions(file: SourceFile) -> Iterator[str]:
    for function in file.functions:
        count = lines_of(function)
        if count > MOST_LINES:
            yield file.at(function.lineno, f"{function.name} has {count} lines")


def lines_of(function: Function) -> int:
    """Return the lines of a function without its decorators and docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = function.body[0] if documented else None
    spent = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spent


def deep_functions(file: SourceFile) -> Iterator[str]:
    for function in file.functions:
        depth = nesting(function.body)
        if depth > MOST_NESTING:
            yield file.at(function.lineno, f"{function.name} is nested {depth} deep")


def nesting(statements: list[ast.stmt]) -> int:
    """Return how many blocks are inside each other; `elif` is no deeper than its `if`."""
    deepest = 0
    for statement in statements:
        if not isinstance(statement, BLOCKS):
            continue
        inside = [list(block) for block in blocks(statement)]
        deepest = max(deepest, 1 + max(map(nesting, inside), default=0))
        if isinstance(statement, ast.If) and is_elif(statement.orelse):
            deepest = max(deepest, nesting(statement.orelse))
    return deepest


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name, value in ast.iter_fields(statement):
        if name in ("handlers", "cases"):
            yield from (clause.body for clause in value)
        elif name in ("body", "orelse", "finalbody") and not (name == "orelse" and is_elif(value)):
            yield value


def is_elif(block: list[ast.stmt]) -> bool:
    return len(block) == 1 and isinstance(block[0], ast.If)


def wide_signatures(file: SourceFile) -> Iterator[str]:
    if file.path.as_posix() in GIVEN_SIGNATURES:
        return
    for function in file.functions:
        positional = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        count = len([name for name in positional if name not in ("self", "cls")])
        if count > MOST_POSITIONAL and not is_command(function):
            yield file.at(function.lineno, f"{function.name} has {count} positional parameters")


def is_command(function: Function) -> bool:
    return any("click" in ast.unparse(decorator) for decorator in function.decorator_list)


def type_queries(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "hasattr" or (name == "getattr" and len(node.args) > 2):
                yield file.at(node.lineno, ast.unparse(node))


def test_a_function_has_at_most_40_lines() -> None:
    found = offences(long_functions, package_files())
    assert not found, f"name a part of the function:\n{found}"


def test_a_function_of_41_lines_is_reported() -> None:
    body = "    '''Docstrings are not counted.\n    '''\n" + "    x = 1\n" * 40
    assert "long has 41 lines" in offences(long_functions, [snippet("def long():\n" + body)])
    short = "def short():\n" + body.removesuffix("    x = 1\n")
    assert not offences(long_functions, [snippet(short)])


def test_no_code_is_nested_deeper_than_3_blocks() -> None:
    found = offences(deep_functions, package_files())
    assert not found, f"return early or name the inner part:\n{found}"


def test_a_fourth_nested_block_is_reported_and_elif_is_no_block() -> None:
    deep = "def f(x):\n  for a in x:\n    if a:\n      with a:\n        try: g()\n        except E: pass\n"
    chain = (
        "def f(x):\n  if x == 1: g()\n  elif x == 2: g()\n  elif x == 3: g()\n  else:\n    h()\n"
    )
    assert "f is nested 4 deep" in offences(deep_functions, [snippet(deep)])
    assert not offences(deep_functions, [snippet(chain)])


def test_a_function_has_at_most_5_positional_parameters() -> None:
    found = offences(wide_signatures, package_files())
    assert not found, f"group the parameters or make them keyword-only:\n{found}"


def test_a_sixth_positional_parameter_is_reported() -> None:
    wide = "class A:\n    def f(self, a, b, c, d, e, f): ...\n"
    keyword = "class A:\n    def f(self, a, b, c, d, e, *, f): ...\n"
    command = "@click.option('-a')\ndef f(a, b, c, d, e, f): ...\n"
    assert "f has 6 positional parameters" in offences(wide_signatures, [snippet(wide)])
    assert not offences(wide_signatures, [snippet(keyword), snippet(command)])


def test_no_object_is_queried_for_its_attributes() -> None:
    found = offences(type_queries, package_files())
    assert not found, f"declare a Protocol, an abstract method or a default:\n{found}"


def test_hasattr_and_getattr_with_a_default_are_reported() -> None:
    found = offences(type_queries, [snippet("a = hasattr(x, 'y')\nb = getattr(x, 'y', None)\n")])
    assert found.count("\n") == 1
    assert not offences(type_queries, [snippet("a = getattr(x, name)\n")])
