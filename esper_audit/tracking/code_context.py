"""A function, class or module as a place for findings: its statements, its variables, what stands beside what."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias, TypeGuard

from esper_audit.source.syntax.enclosing import blocks
from esper_audit.tracking.context_hash import EDGE, code_hash
from esper_audit.tracking.normal_form import Writer, owner

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef
Node: TypeAlias = Definition | ast.Module
IMPORTS = (ast.Import, ast.ImportFrom)


class CodeClause(NamedTuple):
    """One statement or clause without the statements inside it: what it says, and if it says anything.

    `node` is None for the parameters of a function and the bases of a class.
    """

    node: ast.AST | None
    text: str
    telling: bool


class CodeBlock:
    """A list of statements; `lead` is the hash of all that it stands below, `-` for the body of a scope."""

    def __init__(self, lead: str, statements: list[ast.stmt]) -> None:
        self.statements = statements
        self.lead = lead

    @cached_property
    def row(self) -> list[str]:
        """The hashes of what leads in, of every statement, and of the end."""
        return [self.lead, *(code_hash(_head(s)) for s in self.statements), EDGE]


class CodeScope:
    """One definition of a file, or the file itself; `function` is the outermost function around, if any."""

    def __init__(self, node: Node, function: Function | None, module: ast.Module) -> None:
        self.node = node
        self.function = function
        self._module = module

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that are assigned here, in the functions around, or at the top of the file."""
        found = {name for s in flat(self._module.body) for name in bound_names(s, inside=False)}
        if self.function is not None:
            found.update(bound_names(self.function))
        if isinstance(self.node, ast.ClassDef):
            found.update(n for s in flat(self.node.body) for n in bound_names(s, inside=False))
        if not isinstance(self.node, ast.Module):
            found.add(self.node.name)
        return frozenset(found)

    @property
    def name(self) -> str:
        """The name of the definition, empty for a file."""
        return "" if isinstance(self.node, ast.Module) else self.node.name

    def inner(self, definition: Definition) -> CodeScope:
        """Return the scope of a definition that stands here."""
        function = definition if isinstance(definition, Function) else None
        return CodeScope(definition, self.function or function, self._module)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every variable and attribute of `self` that is mentioned here."""
        found = set(bound_names(self.node))
        for node in ast.walk(self.node):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and owner(node):
                found.add(f"self.{node.attr}")
        return frozenset(found)

    @cached_property
    def passages(self) -> list[CodeClause]:
        """What is said here, in order; not the insides of nested functions and classes."""
        found = [] if isinstance(self.node, ast.Module) else [self._introduction(self.node)]
        return [*found, *self._in_block(_without_docstring(self.node.body))]

    @cached_property
    def blocks(self) -> list[CodeBlock]:
        """The lists of statements that stand here."""
        found: list[CodeBlock] = []
        pending = [CodeBlock(EDGE, _without_docstring(self.node.body))]
        while pending:
            block = pending.pop()
            found.append(block)
            for statement in block.statements:
                if not isinstance(statement, Definition):
                    head = _head(statement)
                    inner = enumerate(blocks(statement))
                    pending += [
                        CodeBlock(code_hash(f"{n} {head} {block.lead}"), b) for n, b in inner if b
                    ]
        return found

    def passage(self, node: ast.AST) -> CodeClause:
        """Return what a statement says, the statements inside it left out."""
        writer = Writer(self.variables, own=self.name, blocks=False)
        try:
            text = writer.write(node)
        except RecursionError:
            return CodeClause(node, f"a deep {type(node).__name__}", telling=False)
        return CodeClause(node, text, bool(writer.words) and not isinstance(node, IMPORTS))

    def neighbours(self, statement: ast.stmt) -> tuple[str, str]:
        """Return the hashes of what stands before and after a statement in its block."""
        for block in self.blocks:
            if statement in block.statements:
                at = block.statements.index(statement)
                return block.row[at], block.row[at + 2]
        return "", ""

    def _introduction(self, node: Definition) -> CodeClause:
        writer = Writer(self.variables)
        text = writer.write(node.bases if isinstance(node, ast.ClassDef) else node.args)
        return CodeClause(None, text, bool(writer.words))

    def _in_block(self, block: Sequence[ast.stmt]) -> Iterator[CodeClause]:
        for statement in block:
            yield self.passage(statement)
            if isinstance(statement, Definition):
                continue
            if isinstance(statement, ast.Try | ast.TryStar):
                yield from map(self.passage, statement.handlers)
            for inner in blocks(statement):
                yield from self._in_block(inner)


def scope_at(module: ast.Module, chain: Sequence[ast.stmt]) -> CodeScope:
    """Return the innermost scope of an enclosing chain."""
    found = CodeScope(module, None, module)
    for statement in chain:
        if isinstance(statement, Definition):
            found = found.inner(statement)
    return found


def scopes_called(module: ast.Module, symbol: str) -> list[CodeScope]:
    """Return the scopes of a dotted name; a name may be defined twice."""
    found = [CodeScope(module, None, module)]
    for name in symbol.split(".") if symbol else ():
        statements = (
            (scope, s) for scope in found for block in scope.blocks for s in block.statements
        )
        found = [scope.inner(s) for scope, s in statements if is_called(s, name)]
    return found


def is_called(statement: ast.stmt, name: str) -> TypeGuard[Definition]:
    """Return whether a statement defines a name."""
    return isinstance(statement, Definition) and statement.name == name


def bound_names(root: ast.AST, *, inside: bool = True) -> Iterator[str]:
    """Yield the variables that are assigned below a node; `inside=False` leaves its blocks out."""
    pending: list[ast.AST] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        below = ast.iter_child_nodes(node)
        pending += below if inside else (n for n in below if not isinstance(n, ast.stmt))


def flat(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of the blocks inside, definitions not entered."""
    for statement in block:
        if isinstance(statement, Definition):
            continue
        yield statement
        for inner in blocks(statement):
            yield from flat(inner)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    documents = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if documents else body


def _head(statement: ast.stmt) -> str:
    """Return a statement without the statements inside it, its variables by their names."""
    try:
        return Writer(blocks=False).write(statement)
    except RecursionError:
        return f"a deep {type(statement).__name__}"
