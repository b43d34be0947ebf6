"""The lines of a class or function in its source file, each file of which is parsed once in a process."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator, Mapping
from functools import cache
from types import FunctionType

LOCALS = "<locals>"
Span = tuple[int, int]


def definition_lines(thing: type | FunctionType) -> tuple[str, int, int]:
    """Return the absolute file, the first line with decorators, and the last line of a definition.

    `inspect` parses the whole file anew for each class. It is asked about functions, which it finds without that, and
    about classes that a file defines several times. Raises OSError or TypeError without source.
    """
    file = os.path.abspath(inspect.getsourcefile(thing) or "")
    spans = _class_spans(file).get(thing.__qualname__, []) if isinstance(thing, type) else []
    if len(spans) == 1:
        return file, *spans[0]
    lines, first = inspect.getsourcelines(thing)
    return file, first, first + len(lines) - 1


@cache
def _class_spans(file: str) -> Mapping[str, list[Span]]:
    """Return the lines of the definitions of each class of a file by its qualified name."""
    spans: dict[str, list[Span]] = {}
    try:
        with open(file, "rb") as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError):
        return spans
    for name, node in _class_definitions(tree, ""):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        spans.setdefault(name, []).append((first, node.end_lineno or node.lineno))
    return spans


def _class_definitions(parent: ast.AST, above: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.expr):
            continue
        inside = above
        if isinstance(node, ast.ClassDef):
            yield above + node.name, node
            inside = f"{above}{node.name}."
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{above}{node.name}.{LOCALS}."
        yield from _class_definitions(node, inside)
