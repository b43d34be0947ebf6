"""The `ast` pass over one file: run each rule on its candidates and build the findings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Edit, Finding, NotAnalysed, Span
from esper_audit.rules.finding_builder import edit_at, finding_at
from esper_audit.rules.rule import Replacement, Rule, Violation, crash
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.spans import argument_code, code_of, span_of

ARGUMENTS = (ast.alias, ast.arg, ast.keyword)


class AstPass:
    """Run rules on nodes of one file, and collect the rules that failed in `problems`."""

    def __init__(self, file: FileView) -> None:
        self.problems: list[NotAnalysed] = []
        self._file = file

    def run(self, rule: Rule, nodes: Iterable[ast.AST]) -> list[tuple[Finding, str]]:
        """Return the findings of a rule at the nodes, each with the code for its fingerprint."""
        found: list[tuple[Finding, str]] = []
        remaining = iter(nodes)
        while not self._is_complete(rule, remaining, found):
            pass
        return found

    def _is_complete(
        self, rule: Rule, remaining: Iterator[ast.AST], found: list[tuple[Finding, str]]
    ) -> bool:
        """Return whether a rule ran on all remaining nodes, that is without a failure on one of them."""
        try:
            for node in remaining:
                for violation in rule.check(node, self._file):
                    found.append(self._finding(rule, violation))  # noqa: PERF401  # kept if the rule fails
        # A rule that raises any exception is skipped on this node and reported.
        except FAILURES as error:
            self.problems.append(crash(self._file.source.path, rule, error))
            return False
        return True

    def prefilter(self, rule: Rule, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Return the nodes that the prefilter of a rule keeps, or no nodes if it fails."""
        try:
            return rule.prefilter(nodes)
        # A rule that raises any exception is skipped on this file and reported.
        except FAILURES as error:
            self.problems.append(crash(self._file.source.path, rule, error))
            return ()

    def _finding(self, rule: Rule, violation: Violation) -> tuple[Finding, str]:
        source = self._file.source
        span = _span(violation.node, source.lines)
        is_argument = isinstance(violation.node, ARGUMENTS)
        code = violation.code or (argument_code if is_argument else code_of)(span, source.lines)
        finding = msgspec.structs.replace(
            finding_at(rule, source, span, violation.message),
            edit=_edit(violation.replacement, source.lines),
            subject=violation.subject,
            argument=violation.argument,
        )
        return finding, code


def _span(place: object, lines: Sequence[str]) -> Span:
    if isinstance(place, Span):
        return place
    if isinstance(place, ast.AST):
        return span_of(place, lines)
    raise TypeError(
        f"a rule reported a violation at a {type(place).__name__}, expected an `ast` node"
    )


def _edit(replacement: Replacement | None, lines: Sequence[str]) -> Edit | None:
    if replacement is None:
        return None
    span = _span(replacement.node, lines)
    return edit_at(span, replacement)
