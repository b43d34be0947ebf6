"""Structural hashes of statements, independent of layout, comments, docstrings and local names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.names import parameters

# A call or table over many lines counts as three lines; the declaration of a field counts as none.
LONGEST_STATEMENT = 3
INSIGNIFICANT = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COPY_NOTE = "copied from"
IGNORED = frozenset({"ctx", "kind", "returns", "type_comment", "type_params"})


class HashedStatement(NamedTuple):
    """The position of a statement, its structural hash, its counted lines, and its local names in order.

    It has no node, which would keep the syntax tree of its file in memory.
    """

    lineno: int
    col_offset: int
    end_lineno: int
    end_col_offset: int
    structure: int
    lines: int
    locals: tuple[str, ...]


class StatementBlock(NamedTuple):
    """The significant statements of a block, and its nesting depth."""

    path: str
    depth: int
    statements: list[HashedStatement]

    @property
    def lines(self) -> int:
        """The counted lines of the statements."""
        return sum(statement.lines for statement in self.statements)


def statement_blocks(
    path: str, tree: ast.Module, lines: list[str], minimum: int = 1
) -> list[StatementBlock]:
    """Return the blocks of a file with at least `minimum` counted lines, outer blocks before inner ones."""
    hasher = _StatementHasher()
    found = (
        StatementBlock(
            path,
            depth,
            [hasher.hash(node, local) for node in reversed(block) if _is_significant(node)][::-1],
        )
        for block, depth, local in reversed(list(_blocks(tree, lines)))
    )
    return [block for block in found if block.lines >= minimum][::-1]


class _StatementHasher:
    """The structural hashes of a file's statements.

    Inner statements must be hashed before the statements that contain them.
    """

    def __init__(self) -> None:
        self._known: dict[ast.AST, HashedStatement] = {}

    def hash(self, node: ast.stmt, local: frozenset[str]) -> HashedStatement:
        """Return the hash of a statement, in which the names in `local` are interchangeable."""
        local = local or (_bound_names(node) if isinstance(node, FUNCTIONS) else local)
        words: list[object] = []
        names: list[str] = []
        weight = 0
        pending: list[object] = [node]
        while pending:
            part = pending.pop()
            known = self._known.get(part) if isinstance(part, ast.stmt) else None
            if known is not None:
                words.append(known.structure)
                names += known.locals
                weight += known.lines
            elif isinstance(part, ast.AST):
                _append_structure(part, local, words, names, pending)
            else:
                words.append(part)
        own = 1 if any(blocks(node)) else min(LONGEST_STATEMENT, _length(node))
        own = 0 if isinstance(node, ast.AnnAssign) and not local else own
        hashed = HashedStatement(
            node.lineno,
            node.col_offset,
            last_line(node),
            node.end_col_offset or 0,
            hash(tuple(words)),
            own + weight,
            tuple(names),
        )
        self._known[node] = hashed
        return hashed


def _append_structure(
    node: ast.AST,
    local: frozenset[str],
    words: list[object],
    names: list[str],
    pending: list[object],
) -> None:
    """Append a node to the words and names, and its children to the pending parts."""
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
            kept = [v for v in value if not isinstance(v, ast.stmt) or _is_significant(v)]
            words.append(len(kept))
            below += kept
        else:
            below.append(repr(value) if isinstance(node, ast.Constant) else value)
    pending += reversed(below)


def _is_significant(node: ast.stmt) -> bool:
    """Return whether a statement is more than an import or a string."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return not is_text and not isinstance(node, INSIGNIFICANT)


def _blocks(
    tree: ast.Module, lines: list[str]
) -> Iterator[tuple[list[ast.stmt], int, frozenset[str]]]:
    """Yield each block with its depth and the names that are local to the function around it."""
    pending: list[tuple[list[ast.stmt], int, frozenset[str]]] = [(tree.body, 0, frozenset())]
    while pending:
        statements, depth, local = pending.pop()
        block = [statement for statement in statements if not _is_declared_copy(statement, lines)]
        yield block, depth, local
        for statement in block:
            is_outermost = not local and isinstance(statement, FUNCTIONS)
            inside = _bound_names(statement) if is_outermost else local
            pending += [(inner, depth + 1, inside) for inner in blocks(statement) if inner]


def _is_declared_copy(node: ast.stmt, lines: list[str]) -> bool:
    """Return whether a comment above a definition declares it a copy."""
    above = lines[first_line(node) - 2] if first_line(node) > 1 else ""
    return above.lstrip().startswith("#") and COPY_NOTE in above.lower()


def _bound_names(function: ast.AST) -> frozenset[str]:
    """Return the names that a function and its nested functions bind."""
    stored = (n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name))
    names = {node.id for node in stored if isinstance(node.ctx, ast.Store)}
    for node in scan(function, {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda}):
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            names |= {parameter.arg for parameter in parameters(node.args)}
    return frozenset(names | {""})


def _length(node: ast.stmt) -> int:
    return last_line(node) - node.lineno + 1
