"""The scope of a finding: its clauses, its variables, and the neighbours of each statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias, TypeGuard

from esper_audit.source.syntax.enclosing import blocks
from esper_audit.tracking.context_hash import EDGE, code_hash
from esper_audit.tracking.normal_form import NormalFormWriter, self_name

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef
Node: TypeAlias = Definition | ast.Module
IMPORTS = (ast.Import, ast.ImportFrom)


class CodeClause(NamedTuple):
    """The normal form of one statement or clause, without the statements inside it.

    `node` is None for the parameters of a function and the bases of a class. `has_words` is false for
    imports and for code of keywords and variables only.
    """

    node: ast.AST | None
    text: str
    has_words: bool


class CodeBlock:
    """A list of statements.

    `lead` is the hash of the statements around it, `-` for the body of a scope.
    """

    def __init__(self, lead: str, statements: list[ast.stmt]) -> None:
        self.statements = statements
        self.lead = lead

    @cached_property
    def hashes(self) -> list[str]:
        """The lead, the hash of the head of every statement, and `-` for the end."""
        return [self.lead, *(code_hash(_head(s)) for s in self.statements), EDGE]


class CodeScope:
    """A definition of a file, or the file itself.

    `function` is the outermost enclosing function, if any.
    """

    def __init__(self, node: Node, function: Function | None, module: ast.Module) -> None:
        self.node = node
        self.function = function
        self._module = module

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that are assigned here, in an enclosing function, or at module level."""
        found = {
            name
            for s in flat_statements(self._module.body)
            for name in bound_names(s, inside=False)
        }
        if self.function is not None:
            found.update(bound_names(self.function))
        if isinstance(self.node, ast.ClassDef):
            found.update(
                n for s in flat_statements(self.node.body) for n in bound_names(s, inside=False)
            )
        if not isinstance(self.node, ast.Module):
            found.add(self.node.name)
        return frozenset(found)

    @property
    def name(self) -> str:
        """The name of the definition, empty for a module."""
        return "" if isinstance(self.node, ast.Module) else self.node.name

    def inner(self, definition: Definition) -> CodeScope:
        """Return the scope of a definition in this scope."""
        function = definition if isinstance(definition, Function) else None
        return CodeScope(definition, self.function or function, self._module)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every variable and every attribute of `self` in this scope."""
        found = set(bound_names(self.node))
        for node in ast.walk(self.node):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and self_name(node):
                found.add(f"self.{node.attr}")
        return frozenset(found)

    @cached_property
    def clauses(self) -> list[CodeClause]:
        """The clauses of this scope in order, without the bodies of nested functions and classes."""
        found = [] if isinstance(self.node, ast.Module) else [self._signature(self.node)]
        return [*found, *self._in_block(_without_docstring(self.node.body))]

    @cached_property
    def blocks(self) -> list[CodeBlock]:
        """The lists of statements in this scope."""
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

    def clause(self, node: ast.AST) -> CodeClause:
        """Return a statement as a clause, without the statements inside it."""
        writer = NormalFormWriter(self.variables, own=self.name, blocks=False)
        try:
            text = writer.write(node)
        except RecursionError:
            return CodeClause(node, f"a deep {type(node).__name__}", has_words=False)
        return CodeClause(node, text, bool(writer.words) and not isinstance(node, IMPORTS))

    def neighbours(self, statement: ast.stmt) -> tuple[str, str]:
        """Return the hashes before and after a statement in its block."""
        for block in self.blocks:
            if statement in block.statements:
                at = block.statements.index(statement)
                return block.hashes[at], block.hashes[at + 2]
        return "", ""

    def _signature(self, node: Definition) -> CodeClause:
        writer = NormalFormWriter(self.variables)
        text = writer.write(node.bases if isinstance(node, ast.ClassDef) else node.args)
        return CodeClause(None, text, bool(writer.words))

    def _in_block(self, block: Sequence[ast.stmt]) -> Iterator[CodeClause]:
        for statement in block:
            yield self.clause(statement)
            if isinstance(statement, Definition):
                continue
            if isinstance(statement, ast.Try | ast.TryStar):
                yield from map(self.clause, statement.handlers)
            for inner in blocks(statement):
                yield from self._in_block(inner)


def scope_at(module: ast.Module, chain: Sequence[ast.stmt]) -> CodeScope:
    """Return the innermost scope of an enclosing chain."""
    found = CodeScope(module, None, module)
    for statement in chain:
        if isinstance(statement, Definition):
            found = found.inner(statement)
    return found


def scopes_named(module: ast.Module, symbol: str) -> list[CodeScope]:
    """Return the scopes with a dotted name, more than one if it is defined twice."""
    found = [CodeScope(module, None, module)]
    for name in symbol.split(".") if symbol else ():
        statements = (
            (scope, s) for scope in found for block in scope.blocks for s in block.statements
        )
        found = [scope.inner(s) for scope, s in statements if is_definition_of(s, name)]
    return found


def is_definition_of(statement: ast.stmt, name: str) -> TypeGuard[Definition]:
    """Return whether a statement defines a name."""
    return isinstance(statement, Definition) and statement.name == name


def bound_names(root: ast.AST, *, inside: bool = True) -> Iterator[str]:
    """Yield the variables that are assigned below a node.

    `inside=False` omits its blocks.
    """
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


def flat_statements(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of its nested blocks, without definitions."""
    for statement in block:
        if isinstance(statement, Definition):
            continue
        yield statement
        for inner in blocks(statement):
            yield from flat_statements(inner)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    documents = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if documents else body


def _head(statement: ast.stmt) -> str:
    """Return the normal form of a statement without the statements inside it, with variable names."""
    try:
        return NormalFormWriter(blocks=False).write(statement)
    except RecursionError:
        return f"a deep {type(statement).__name__}"
