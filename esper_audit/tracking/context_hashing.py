"""Computing the context hashes of the findings of a file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from esper_audit.findings.finding import Location
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.code_context import CodeScope, Definition, scope_at
from esper_audit.tracking.context_hash import MAX_CONTEXT_HASHES, ContextHash, code_hash, short_hash
from esper_audit.tracking.normal_form import NormalFormWriter, parse_fragments

MAX_WORDS = 16


class CodeForms(NamedTuple):
    """The normal forms of code, with its variables and its other words.

    `code` is exact, `shape` has numbered variables, and `head` also omits the blocks.
    """

    code: str
    shape: str
    head: str
    names: Iterable[str] = ()
    words: Iterable[str] = ()


class ContextHashes:
    """Computes the context hashes of one file's findings, each scope once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scopes: dict[ast.stmt | None, CodeScope] = {}
        self._summaries: dict[ast.AST, str] = {}

    def of(self, location: Location) -> ContextHash | None:
        """Return the context hash of a finding, None if the file no longer has its lines."""
        lines = self._source.lines
        if location.end_line > len(lines):
            return None
        column = len(lines[location.line - 1][: location.column - 1].encode())
        enclosing = chain(self._source.tree, location.line, column)
        statement = enclosing[-1] if enclosing else None
        scope = self._scope(enclosing)
        forms = _code_forms(_source_text(lines, location), scope)
        before, after = self._neighbours(enclosing)
        return ContextHash(
            code=code_hash(forms.code),
            shape=code_hash(forms.shape),
            head=code_hash(forms.head),
            names=" ".join(map(short_hash, forms.names)),
            words=_word_hashes(forms.words),
            statement=code_hash(
                _statement_form(statement) if statement is not None else forms.code
            ),
            before=before,
            after=after,
            scope=self._summary(scope),
            around=_context_hashes(scope, statement),
        )

    def _scope(self, enclosing: Sequence[ast.stmt]) -> CodeScope:
        found = scope_at(self._source.tree, enclosing)
        known = None if isinstance(found.node, ast.Module) else found.node
        return self._scopes.setdefault(known, found)

    def _summary(self, scope: CodeScope) -> str:
        if scope.node not in self._summaries:
            text = "\n".join(clause.text for clause in scope.clauses)
            self._summaries[scope.node] = code_hash(text)
        return self._summaries[scope.node]

    def _neighbours(self, enclosing: Sequence[ast.stmt]) -> tuple[str, str]:
        if not enclosing:
            return "", ""
        return self._scope(enclosing[:-1]).neighbours(enclosing[-1])


def _code_forms(text: str, scope: CodeScope) -> CodeForms:
    """Return the normal forms of code.

    A comment, or code that does not parse alone, counts by its words.
    """
    for fragment in parse_fragments(text) if not text.startswith("#") else ():
        exact, numbered = NormalFormWriter(), NormalFormWriter(scope.variables, attributes=True)
        head = NormalFormWriter(scope.variables, attributes=True, blocks=False)
        try:
            forms = (
                exact.write(fragment.part),
                numbered.write(fragment.part),
                head.write(fragment.part),
            )
        except RecursionError:
            continue
        return CodeForms(*forms, names=numbered.numbers, words=exact.words)
    words = text.split()
    return CodeForms(" ".join(words), " ".join(words), " ".join(words), words=words)


def _source_text(lines: Sequence[str], location: Location) -> str:
    """Return the source from the start of a location to its end."""
    within = list(lines[location.line - 1 : location.end_line])
    within[-1] = within[-1][: location.end_column - 1]
    within[0] = within[0][location.column - 1 :]
    return "".join(within)


def _statement_form(statement: ast.stmt) -> str:
    """Return the normal form of a statement, of a definition only its head."""
    try:
        return NormalFormWriter(blocks=not isinstance(statement, Definition)).write(statement)
    except RecursionError:
        return type(statement).__name__


def _context_hashes(scope: CodeScope, statement: ast.stmt | None) -> str:
    """Return the hashes of the clauses around a statement, at most a sample of fixed size.

    The sample is the lowest hashes: two scopes that share most clauses then share most of the sample.
    """
    own: list[ast.AST | None] = [None if statement is scope.node else statement]
    if isinstance(statement, ast.Try | ast.TryStar):
        own += statement.handlers
    hashes = {short_hash(c.text) for c in scope.clauses if c.has_words and c.node not in own}
    return " ".join(sorted(hashes)[:MAX_CONTEXT_HASHES])


def _word_hashes(words: Iterable[str]) -> str:
    found = sorted({short_hash(word) for word in words})
    return " ".join(found) if len(found) <= MAX_WORDS else ""
