"""Taking the likeness of findings: what each is about and what stands around it, hashed for its ticket."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from esper_audit.findings.finding import Location
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.code_context import CodeScope, Definition, scope_at
from esper_audit.tracking.context_hash import MOST_AROUND, ContextHash, code_hash, piece_hash
from esper_audit.tracking.normal_form import Writer, pieces

MOST_WORDS = 16


class Forms(NamedTuple):
    """A piece of code as it is, with its variables numbered, without blocks; its variables and words."""

    code: str
    shape: str
    head: str
    names: Iterable[str] = ()
    words: Iterable[str] = ()


class ContextHashes:
    """The likenesses of one file's findings; what they share is worked out once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scopes: dict[ast.stmt | None, CodeScope] = {}
        self._summaries: dict[ast.AST, str] = {}

    def of(self, location: Location) -> ContextHash | None:
        """Return the likeness of a finding, None if the file no longer has its lines."""
        lines = self._source.lines
        if location.end_line > len(lines):
            return None
        column = len(lines[location.line - 1][: location.column - 1].encode())
        enclosing = chain(self._source.tree, location.line, column)
        statement = enclosing[-1] if enclosing else None
        scope = self._scope(enclosing)
        forms = _forms(_text(lines, location), scope)
        before, after = self._neighbours(enclosing)
        return ContextHash(
            code=code_hash(forms.code),
            shape=code_hash(forms.shape),
            head=code_hash(forms.head),
            names=" ".join(map(piece_hash, forms.names)),
            words=_few(forms.words),
            statement=code_hash(_written(statement) if statement is not None else forms.code),
            before=before,
            after=after,
            scope=self._summary(scope),
            around=_around(scope, statement),
        )

    def _scope(self, enclosing: Sequence[ast.stmt]) -> CodeScope:
        found = scope_at(self._source.tree, enclosing)
        known = None if isinstance(found.node, ast.Module) else found.node
        return self._scopes.setdefault(known, found)

    def _summary(self, scope: CodeScope) -> str:
        if scope.node not in self._summaries:
            said = "\n".join(passage.text for passage in scope.passages)
            self._summaries[scope.node] = code_hash(said)
        return self._summaries[scope.node]

    def _neighbours(self, enclosing: Sequence[ast.stmt]) -> tuple[str, str]:
        if not enclosing:
            return "", ""
        return self._scope(enclosing[:-1]).neighbours(enclosing[-1])


def _forms(text: str, scope: CodeScope) -> Forms:
    """Return the forms of a piece of code; a comment, or what cannot be read alone, counts by its words."""
    for piece in pieces(text) if not text.startswith("#") else ():
        exact, numbered = Writer(), Writer(scope.variables, attributes=True)
        head = Writer(scope.variables, attributes=True, blocks=False)
        try:
            forms = exact.write(piece.part), numbered.write(piece.part), head.write(piece.part)
        except RecursionError:
            continue
        return Forms(*forms, names=numbered.met, words=exact.words)
    words = text.split()
    return Forms(" ".join(words), " ".join(words), " ".join(words), words=words)


def _text(lines: Sequence[str], location: Location) -> str:
    """Return the source from the start of a location to its end."""
    within = list(lines[location.line - 1 : location.end_line])
    within[-1] = within[-1][: location.end_column - 1]
    within[0] = within[0][location.column - 1 :]
    return "".join(within)


def _written(statement: ast.stmt) -> str:
    """Return a statement and all that is in it, as it is; of a definition only the head."""
    try:
        return Writer(blocks=not isinstance(statement, Definition)).write(statement)
    except RecursionError:
        return type(statement).__name__


def _around(scope: CodeScope, statement: ast.stmt | None) -> str:
    """Return the hashes of what is said around a statement, a sample of fixed size where it is much.

    The least of the hashes, so that two scopes that have much in common have most of the sample in
    common, whatever was added.
    """
    own: list[ast.AST | None] = [None if statement is scope.node else statement]
    if isinstance(statement, ast.Try | ast.TryStar):
        own += statement.handlers
    said = {piece_hash(p.text) for p in scope.passages if p.telling and p.node not in own}
    return " ".join(sorted(said)[:MOST_AROUND])


def _few(words: Iterable[str]) -> str:
    found = sorted({piece_hash(word) for word in words})
    return " ".join(found) if len(found) <= MOST_WORDS else ""
