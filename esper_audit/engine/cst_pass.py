"""The LibCST pass over one file: parse its slices, run the rules on their nodes, build the findings."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from esper_audit.engine.slices import Slice
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Edit, Finding, NotAnalysed
from esper_audit.project.workers.limited_work import set_status
from esper_audit.rules.finding_builder import edit_at, finding_at
from esper_audit.rules.rule import CstRule, Replacement, Violation, crash
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import depth
from esper_audit.source.syntax.cst_positions import PositionRecorder
from esper_audit.source.syntax.cst_walk import walk
from esper_audit.source.syntax.node_view import View
from esper_audit.source.syntax.source import Source

MAX_DEPTH = 800
RECURSION_LIMIT = 20_000
BLOCK_HEADER = "if 1:\n"


class CstPass:
    """Parse slices of one file, walk them, and check each node with the rules that its type triggers.

    `problems` collects the slices that could not be read and the rules that failed.
    """

    def __init__(self, source: Source, rules: Sequence[CstRule], aliases: frozenset[str]) -> None:
        self.problems: list[NotAnalysed] = []
        self._source = source
        self._dispatch = _Dispatch(rules, aliases)

    def run(self, slices: Iterable[Slice]) -> list[tuple[Finding, str]]:
        """Return the findings of all slices, each with the code of its node."""
        found: list[tuple[Finding, str]] = []
        with _raised_recursion_limit():
            for piece in slices:
                if depth(piece.statement or self._source.tree) > MAX_DEPTH:
                    reason = f"nested more than {MAX_DEPTH} deep, not handed to LibCST"
                    self.problems.append(NotAnalysed(self._source.path, reason, line=piece.first))
                    continue
                view = self._parse(piece)
                if view is not None:
                    found += self._findings(view, list(self._violations(view)))
        return found

    def _parse(self, piece: Slice) -> View | None:
        """Parse a slice, or the whole file if the slice does not parse, or return None if neither does."""
        source = self._source
        text = "".join(source.lines[piece.first - 1 : piece.last])
        indented = text[:1] in (" ", "\t")
        try:
            module = cst.parse_module(BLOCK_HEADER + text if indented else text)
            return View(source, module, piece.statement, piece.first, int(indented))
        except cst.ParserSyntaxError as error:
            if piece.statement is not None:
                return self._parse(Slice.whole(source))
            reason = f"LibCST cannot read it: {error.message.splitlines()[0]}"
            self.problems.append(NotAnalysed(source.path, reason, line=error.raw_line))
            return None

    def _violations(self, view: View) -> Iterator[tuple[CstRule, Violation]]:
        for node in walk(view.module):
            for rule in self._dispatch.rules(node):
                for violation in self._check(rule, node, view):
                    yield rule, violation

    def _check(self, rule: CstRule, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        set_status(rule.id)
        try:
            yield from rule.check(node, view)
        # A rule that raises, whatever it raises, costs that rule on this file and is named.
        except FAILURES as error:
            self.problems.append(crash(self._source.path, rule, error))

    def _findings(
        self, view: View, violations: list[tuple[CstRule, Violation]]
    ) -> Iterator[tuple[Finding, str]]:
        recorder = PositionRecorder(view.module) if violations else None
        for rule, violation in violations:
            assert recorder is not None
            try:
                node = _node(violation.node)
                span = recorder.span(node, view.line_offset)
                finding = msgspec.structs.replace(
                    finding_at(rule, self._source, span, violation.message),
                    edit=_edit(violation.replacement, recorder, view.line_offset),
                    subject=violation.subject,
                    argument=violation.argument,
                )
                code = view.code(node)
            # A rule that reports a node without a place in the file has failed like one that raises.
            except FAILURES as error:
                self.problems.append(crash(self._source.path, rule, error))
            else:
                yield finding, code


class _Dispatch:
    """Look up the rules that a LibCST node triggers: the triggers of the prefilter, on LibCST's nodes."""

    def __init__(self, rules: Sequence[CstRule], aliases: frozenset[str]) -> None:
        self._by_kind: dict[str, list[CstRule]] = defaultdict(list)
        for rule in rules:
            for kind in rule.triggers.nodes:
                self._by_kind[kind].append(rule)
        self._with_calls = [r for r in rules if r.triggers.calls or r.triggers.keywords]
        self._with_attributes = [r for r in rules if r.triggers.attributes]
        self._aliases = aliases

    def rules(self, node: cst.CSTNode) -> list[CstRule]:
        """Return the rules that a node triggers, each once."""
        triggered = list(self._by_kind.get(type(node).__name__, ()))
        if isinstance(node, cst.Call):
            name = _terminal_name(node.func)
            keywords = {arg.keyword.value for arg in node.args if arg.keyword is not None}
            for rule in self._with_calls:
                called = name in rule.triggers.calls or (
                    rule.triggers.calls and name in self._aliases
                )
                if (called or rule.triggers.keywords & keywords) and rule not in triggered:
                    triggered.append(rule)
        elif isinstance(node, cst.Attribute):
            name = node.attr.value
            triggered += [r for r in self._with_attributes if name in r.triggers.attributes]
        return triggered


def _terminal_name(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def _node(node: object) -> cst.CSTNode:
    if not isinstance(node, cst.CSTNode):
        raise TypeError(
            f"a rule reported a violation at a {type(node).__name__}, expected a LibCST node"
        )
    return node


def _edit(replacement: Replacement | None, recorder: PositionRecorder, offset: int) -> Edit | None:
    if replacement is None:
        return None
    span = recorder.span(_node(replacement.node), offset)
    return edit_at(span, replacement)


@contextmanager
def _raised_recursion_limit() -> Iterator[None]:
    """Raise the recursion limit: LibCST generates code by recursion, in Python frames, one level an operator."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
