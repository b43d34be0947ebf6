"""What a statement looks like without its layout, comments, docstrings and the names of local variables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks, first_line
from esper_audit.source.syntax.names import parameters

# A call or a table that is spread over many lines is one thought; the declaration of a field is none.
LONGEST_STATEMENT = 3
SILENT = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COPY_ON_PURPOSE = "copied from"
IGNORED = frozenset({"ctx", "kind", "returns", "type_comment", "type_params"})


class Shaped(NamedTuple):
    """A statement, its shape, the lines that it counts for, and its local names as they come."""

    node: ast.stmt
    shape: int
    lines: int
    locals: tuple[str, ...]


class StatementBlock(NamedTuple):
    """The statements of a block that say something."""

    path: str
    depth: int
    statements: list[Shaped]


def shaped_blocks(path: str, tree: ast.Module, lines: list[str]) -> list[StatementBlock]:
    """Return every block of a file, outer ones before those inside of them."""
    shapes = _Shapes()
    found = [
        StatementBlock(
            path, depth, [shapes.of(node, local) for node in reversed(block) if _speaks(node)][::-1]
        )
        for block, depth, local in reversed(list(_blocks(tree, lines)))
    ]
    return found[::-1]


class _Shapes:
    """The shapes of a file's statements; inner ones have to be asked for first."""

    def __init__(self) -> None:
        self._known: dict[ast.AST, Shaped] = {}

    def of(self, node: ast.stmt, local: frozenset[str]) -> Shaped:
        """Return the shape of a statement in which the names in `local` may be any."""
        local = local or (_bound(node) if isinstance(node, FUNCTIONS) else local)
        words: list[object] = []
        names: list[str] = []
        weight = 0
        pending: list[object] = [node]
        while pending:
            part = pending.pop()
            known = self._known.get(part) if isinstance(part, ast.stmt) else None
            if known is not None:
                words.append(known.shape)
                names += known.locals
                weight += known.lines
            elif isinstance(part, ast.AST):
                _spell(part, local, words, names, pending)
            else:
                words.append(part)
        own = 1 if any(blocks(node)) else min(LONGEST_STATEMENT, _length(node))
        own = 0 if isinstance(node, ast.AnnAssign) and not local else own
        self._known[node] = Shaped(node, hash(tuple(words)), own + weight, tuple(names))
        return self._known[node]


def _spell(
    node: ast.AST,
    local: frozenset[str],
    words: list[object],
    names: list[str],
    pending: list[object],
) -> None:
    """Put a node into words; what is below it stays pending."""
    words.append(node.__class__)
    if isinstance(node, (ast.Name, ast.arg)):
        name = node.id if isinstance(node, ast.Name) else node.arg
        if name in local:
            names.append(name)
        else:
            words.append(name)
        return
    is_definition = isinstance(node, (*FUNCTIONS, ast.ClassDef))
    below: list[object] = []
    for field in node._fields:
        value = vars(node).get(field)
        if field in IGNORED or (field == "name" and is_definition):
            continue
        if isinstance(value, list):
            kept = [v for v in value if not isinstance(v, ast.stmt) or _speaks(v)]
            words.append(len(kept))
            below += kept
        else:
            below.append(repr(value) if isinstance(node, ast.Constant) else value)
    pending += reversed(below)


def _speaks(node: ast.stmt) -> bool:
    """Return whether a statement is more than an import or a text."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return not is_text and not isinstance(node, SILENT)


def _blocks(
    tree: ast.Module, lines: list[str]
) -> Iterator[tuple[list[ast.stmt], int, frozenset[str]]]:
    """Yield each block with its depth and the names that are local to the function around it."""
    pending: list[tuple[list[ast.stmt], int, frozenset[str]]] = [(tree.body, 0, frozenset())]
    while pending:
        whole, depth, local = pending.pop()
        block = [statement for statement in whole if not _is_a_copy(statement, lines)]
        yield block, depth, local
        for statement in block:
            is_outermost = not local and isinstance(statement, FUNCTIONS)
            inside = _bound(statement) if is_outermost else local
            pending += [(inner, depth + 1, inside) for inner in blocks(statement) if inner]


def _is_a_copy(node: ast.stmt, lines: list[str]) -> bool:
    """Return whether a comment above a definition says that it is a copy."""
    above = lines[first_line(node) - 2] if first_line(node) > 1 else ""
    return above.lstrip().startswith("#") and COPY_ON_PURPOSE in above.lower()


def _bound(function: ast.AST) -> frozenset[str]:
    """Return the names that a function and what is inside of it bind."""
    stored = (n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name))
    names = {node.id for node in stored if isinstance(node.ctx, ast.Store)}
    for node in scan(function, {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda}):
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            names |= {parameter.arg for parameter in parameters(node.args)}
    return frozenset(names | {""})


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
