"""Candidates by the standard library's `ast`: which stretches of lines does LibCST have to read, for which rules?"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from esper_audit.ast_walk import walk
from esper_audit.finding import NotAnalysed
from esper_audit.rule import Reach, Rule, crash
from esper_audit.source import Source
from esper_audit.statements import chain_of, first_line, last_line

AST_TYPES: dict[str, tuple[type[ast.AST], ...]] = {
    "AnnAssign": (ast.AnnAssign,),
    "Assert": (ast.Assert,),
    "Assign": (ast.Assign,),
    "Attribute": (ast.Attribute,),
    "AugAssign": (ast.AugAssign,),
    "BinaryOperation": (ast.BinOp,),
    "BooleanOperation": (ast.BoolOp,),
    "Call": (ast.Call,),
    "ClassDef": (ast.ClassDef,),
    "Comparison": (ast.Compare,),
    "Dict": (ast.Dict,),
    "ExceptHandler": (ast.ExceptHandler,),
    "For": (ast.For, ast.AsyncFor),
    "FunctionDef": (ast.FunctionDef, ast.AsyncFunctionDef),
    "If": (ast.If,),
    "IfExp": (ast.IfExp,),
    "Import": (ast.Import,),
    "ImportFrom": (ast.ImportFrom,),
    "Match": (ast.Match,),
    "Return": (ast.Return,),
    "Subscript": (ast.Subscript,),
    "Try": (ast.Try,),
    "While": (ast.While,),
    "With": (ast.With, ast.AsyncWith),
}
Candidate = ast.expr | ast.stmt | ast.ExceptHandler


class Slice(NamedTuple):
    """A stretch of whole lines, first and last included (from 1); all of them is the whole file."""

    first: int
    last: int
    statement: ast.stmt | None

    @classmethod
    def whole(cls, source: Source) -> Slice:
        """The slice that is the file."""
        return cls(1, max(len(source.lines), 1), None)


class Sieve:
    """The triggers of a set of rules as tables, so that one walk serves them all."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._calls = _by_name((name, rule) for rule in rules for name in rule.triggers.calls)
        self._attributes = _by_name((n, rule) for rule in rules for n in rule.triggers.attributes)
        self._keywords = _by_name((name, rule) for rule in rules for name in rule.triggers.keywords)
        self._nodes: dict[type[ast.AST], list[Rule]] = defaultdict(list)
        for rule in rules:
            for name in rule.triggers.nodes:
                for kind in AST_TYPES[name]:
                    self._nodes[kind].append(rule)
        self._words = {rule: _as_bytes(_words(rule)) for rule in rules}
        self._parts = {rule: _as_bytes(rule.triggers.parts) for rule in rules}

    def active(self, source: Source) -> frozenset[Rule]:
        """Return the rules that can have a say in a file, by the words that stand in it."""
        words, data = source.words, source.data
        return frozenset(
            rule
            for rule in self.rules
            if not (self._words[rule] or self._parts[rule])
            or not self._words[rule].isdisjoint(words)
            or any(part in data for part in self._parts[rule])
        )

    def slices(
        self, source: Source, active: frozenset[Rule], aliases: frozenset[str]
    ) -> tuple[list[Slice], list[NotAnalysed]]:
        """Return the stretches that hold a candidate, none inside another, and the rules that raised."""
        wanted: set[Slice] = set()
        problems: list[NotAnalysed] = []
        for node, rules in self._hits(source.tree, active, aliases):
            enclosing = chain_of(source.tree, node)
            for rule in rules:
                try:
                    if rule.may_match(node, enclosing):
                        wanted.add(_slice(source, enclosing, rule.reach))
                # A rule that raises, whatever it raises, costs that rule on this file and is named.
                except Exception as error:  # noqa: BLE001
                    problems.append(crash(source.path, rule, error))
        return _outermost(wanted), problems

    def aliases(self, source: Source, active: frozenset[Rule]) -> frozenset[str]:
        """Return the local names that stand for something a call trigger names: `sdpa = F.scaled_...`."""
        called = {name for rule in active for name in rule.triggers.calls}
        return frozenset(_aliases(source.tree, called)) if called else frozenset()

    def _hits(
        self, tree: ast.Module, active: frozenset[Rule], aliases: frozenset[str]
    ) -> Iterable[tuple[Candidate, list[Rule]]]:
        callers = [rule for rule in active if rule.triggers.calls]
        for node in walk(tree):
            rules = [rule for rule in self._nodes.get(node.__class__, ()) if rule in active]
            if node.__class__ is ast.Call:
                rules += self._call_hits(node, active)  # type: ignore[arg-type]  # checked one line up
                if aliases and terminal_name(node.func) in aliases:  # type: ignore[attr-defined]
                    rules += callers
            elif node.__class__ is ast.Attribute:
                named = self._attributes.get(node.attr, ())  # type: ignore[attr-defined]
                rules += [rule for rule in named if rule in active]
            if rules:
                yield node, rules  # type: ignore[misc]  # every kind in AST_TYPES has a position

    def _call_hits(self, call: ast.Call, active: frozenset[Rule]) -> list[Rule]:
        rules = self._calls.get(terminal_name(call.func), [])
        if self._keywords and call.keywords:
            for keyword in call.keywords:
                rules = rules + self._keywords.get(keyword.arg or "", [])
        return [rule for rule in rules if rule in active]


def terminal_name(node: ast.expr) -> str:
    """Return the last part of a called name: `c` for `a.b.c(...)`, empty for anything else."""
    if node.__class__ is ast.Attribute:
        return node.attr  # type: ignore[attr-defined, no-any-return]  # the class was just compared
    return node.id if node.__class__ is ast.Name else ""  # type: ignore[attr-defined, no-any-return]


def _by_name(pairs: Iterable[tuple[str, Rule]]) -> dict[str, list[Rule]]:
    table: dict[str, list[Rule]] = defaultdict(list)
    for name, rule in pairs:
        table[name].append(rule)
    return dict(table)


def _words(rule: Rule) -> frozenset[str]:
    triggers = rule.triggers
    return triggers.words or triggers.calls | triggers.attributes | triggers.keywords


def _as_bytes(words: Iterable[str]) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words)


def _aliases(tree: ast.Module, called: set[str]) -> Iterable[str]:
    for node in walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.asname and alias.name.rpartition(".")[2] in called:
                    yield alias.asname
        elif isinstance(node, ast.Assign) and terminal_name(node.value) in called:
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _slice(source: Source, enclosing: list[ast.stmt], reach: Reach) -> Slice:
    """Return the smallest stretch of lines of its own that covers what a rule has to see."""
    for statement in _owners(enclosing, reach):
        first, last = first_line(statement), last_line(statement)
        if _owns_its_lines(source.lines, statement, first, last):
            return Slice(first, last, statement)
    return Slice.whole(source)


def _owners(enclosing: list[ast.stmt], reach: Reach) -> Iterable[ast.stmt]:
    """Yield the statements that may serve as the slice, smallest first."""
    if reach is Reach.MODULE:
        return []
    kinds: dict[Reach, tuple[type[ast.stmt], ...]] = {
        Reach.FUNCTION: (ast.FunctionDef, ast.AsyncFunctionDef),
        Reach.CLASS: (ast.ClassDef,),
    }
    smallest = len(enclosing) - 1
    if reach is Reach.TOP_LEVEL:
        smallest = 0
    elif reach in kinds:
        fitting = [i for i, s in enumerate(enclosing) if isinstance(s, kinds[reach])]
        smallest = fitting[-1] if fitting else 0
    return reversed(enclosing[: smallest + 1])


def _owns_its_lines(lines: list[str], statement: ast.stmt, first: int, last: int) -> bool:
    """Say whether nothing else stands on the statement's lines (an `elif` or `;` neighbour would)."""
    start, end = lines[first - 1], lines[last - 1]
    column = statement.col_offset
    before = start.encode()[:column] if first == statement.lineno else start[: len(start) - len(start.lstrip())].encode()
    after = end.encode()[statement.end_col_offset or 0 :].strip()
    is_elif = isinstance(statement, ast.If) and start.lstrip().startswith("elif")
    clean = not before.strip() and (not after or after.startswith(b"#"))
    return clean and not is_elif and "\f" not in start and not start.lstrip().startswith("\\")


def _outermost(slices: set[Slice]) -> list[Slice]:
    """Drop every slice that lies inside another."""
    kept: list[Slice] = []
    for candidate in sorted(slices, key=lambda s: (s.first, -s.last)):
        if not kept or candidate.last > kept[-1].last:
            kept.append(candidate)
    return kept
