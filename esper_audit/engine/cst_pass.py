"""The half of the engine that reads LibCST: parse a slice, walk it, ask the rules, place what they say."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from esper_audit.engine.locate import placed
from esper_audit.engine.prefilter import Slice
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Edit, Finding, NotAnalysed, Span
from esper_audit.rules.rule import Replacement, Rule, Violation, crash
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import depth
from esper_audit.source.syntax.cst_positions import PositionRecorder
from esper_audit.source.syntax.cst_walk import walk
from esper_audit.source.syntax.node_view import View
from esper_audit.source.syntax.source import Source

DEEPEST = 800
RECURSION_LIMIT = 20_000
FRONT = "if 1:\n"


class CstPass:
    """One file's slices, read one after the other for the rules that may have a say in it."""

    def __init__(
        self,
        source: Source,
        rules: Sequence[Rule],
        aliases: frozenset[str],
        problems: list[NotAnalysed],
    ) -> None:
        self._source = source
        self._rules = rules
        self._aliases = aliases
        self._problems = problems

    def read(self, piece: Slice) -> list[tuple[Finding, str]]:
        """Return the findings of a slice, each with the code of its node."""
        if depth(piece.statement or self._source.tree) > DEEPEST:
            self._give_up(piece, f"nested more than {DEEPEST} deep, not handed to LibCST")
            return []
        with _room_for_recursion():
            view = self._parse(piece)
            if view is None:
                return []
            return list(self._place(view, list(self._violations(view))))

    def _parse(self, piece: Slice) -> View | None:
        """Parse a slice; if LibCST cannot read it alone, the whole file; if not even that, say so."""
        source = self._source
        text = "".join(source.lines[piece.first - 1 : piece.last])
        indented = text[:1] in (" ", "\t")
        try:
            module = cst.parse_module(FRONT + text if indented else text)
            return View(source, module, piece.statement, piece.first, int(indented))
        except cst.ParserSyntaxError as error:
            if piece.statement is not None:
                return self._parse(Slice.whole(source))
            reason = f"LibCST cannot read it: {error.message.splitlines()[0]}"
            self._problems.append(NotAnalysed(source.path, reason, line=error.raw_line))
            return None

    def _violations(self, view: View) -> Iterator[tuple[Rule, Violation]]:
        interested = _Dispatch(self._rules, self._aliases)
        for node in walk(view.module):
            for rule in interested.rules(node):
                for violation in self._ask(rule, node, view):
                    yield rule, violation

    def _ask(self, rule: Rule, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        try:
            yield from rule.check(node, view)
        # A rule that raises, whatever it raises, costs that rule on this file and is named.
        except FAILURES as error:
            self._problems.append(crash(self._source.path, rule, error))

    def _place(
        self, view: View, violations: list[tuple[Rule, Violation]]
    ) -> Iterator[tuple[Finding, str]]:
        if not violations:
            return
        recorder = PositionRecorder(view.module)
        for rule, violation in violations:
            try:
                node = _node(violation.node)
                span = recorder.span(node, view.line_offset)
                edit = _edit(violation.replacement, recorder, view.line_offset)
                placed = self._finding(rule, violation, span, edit), view.code(node)
            # A rule that reports what has no place in the file has failed like one that raises.
            except FAILURES as error:
                self._problems.append(crash(self._source.path, rule, error))
            else:
                yield placed

    def _finding(self, rule: Rule, violation: Violation, span: Span, edit: Edit | None) -> Finding:
        return msgspec.structs.replace(
            placed(rule, self._source, span, violation.message),
            edit=edit,
            subject=violation.subject,
            argument=violation.argument,
        )

    def _give_up(self, piece: Slice, reason: str) -> None:
        self._problems.append(NotAnalysed(self._source.path, reason, line=piece.first))


class _Dispatch:
    """Which rules want to see a node: the same triggers that the sieve looks for, on LibCST's nodes."""

    def __init__(self, rules: Sequence[Rule], aliases: frozenset[str]) -> None:
        self._by_kind: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            for kind in rule.triggers.nodes:
                self._by_kind[kind].append(rule)
        self._with_calls = [r for r in rules if r.triggers.calls or r.triggers.keywords]
        self._with_attributes = [r for r in rules if r.triggers.attributes]
        self._aliases = aliases

    def rules(self, node: cst.CSTNode) -> list[Rule]:
        """Return the rules to ask about a node, each once."""
        wanted = list(self._by_kind.get(type(node).__name__, ()))
        if isinstance(node, cst.Call):
            name = _terminal_name(node.func)
            keywords = {arg.keyword.value for arg in node.args if arg.keyword is not None}
            for rule in self._with_calls:
                called = name in rule.triggers.calls or (
                    rule.triggers.calls and name in self._aliases
                )
                if (called or rule.triggers.keywords & keywords) and rule not in wanted:
                    wanted.append(rule)
        elif isinstance(node, cst.Attribute):
            name = node.attr.value
            wanted += [r for r in self._with_attributes if name in r.triggers.attributes]
        return wanted


def _terminal_name(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def _node(node: object) -> cst.CSTNode:
    if not isinstance(node, cst.CSTNode):
        raise TypeError(f"a rule reported at {type(node).__name__}, wanted a LibCST node")
    return node


def _edit(replacement: Replacement | None, recorder: PositionRecorder, offset: int) -> Edit | None:
    if replacement is None:
        return None
    span = recorder.span(_node(replacement.node), offset)
    return Edit(
        line=span.line,
        column=span.column + 1,
        end_line=span.end_line,
        end_column=span.end_column + 1,
        text=replacement.code,
        safe=replacement.safe,
        description=replacement.description,
    )


@contextmanager
def _room_for_recursion() -> Iterator[None]:
    """LibCST generates code by recursion, one level an operator of a chain; pure Python frames, no C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
