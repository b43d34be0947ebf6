"""Find candidates in the `ast` of a file, and the slices of lines that LibCST has to parse for them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from esper_audit.findings.errors import FAILURES, RuleLoadError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.rules.rule import Reach, Rule, crash
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import Enclosing, first_line, last_line
from esper_audit.source.syntax.source import Source
from esper_audit.text.phrases import did_you_mean

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
    "Del": (ast.Delete,),
    "Dict": (ast.Dict,),
    "ExceptHandler": (ast.ExceptHandler,),
    "Expr": (ast.Expr,),
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
    """A range of whole lines, first and last included, from 1; without a statement it is the whole file."""

    first: int
    last: int
    statement: ast.stmt | None

    @classmethod
    def whole(cls, source: Source) -> Slice:
        """Return the slice that is the whole file."""
        return cls(1, max(len(source.lines), 1), None)


class Prefilter:
    """The triggers of a set of rules as tables, so that one walk serves all rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.calls = _by_name((name, rule) for rule in rules for name in rule.triggers.calls)
        self.attributes = _by_name((n, rule) for rule in rules for n in rule.triggers.attributes)
        self.keywords = _by_name((name, rule) for rule in rules for name in rule.triggers.keywords)
        self.nodes: dict[type[ast.AST], list[Rule]] = defaultdict(list)
        for rule in rules:
            for name in rule.triggers.nodes:
                for kind in _kinds_called(name, rule):
                    self.nodes[kind].append(rule)
        self._words = {rule: _as_bytes(_words(rule)) for rule in rules}
        self._parts = {rule: _as_bytes(rule.triggers.parts) for rule in rules}

    def active(self, source: Source) -> frozenset[Rule]:
        """Return the rules that can have a finding in a file, by the words that it contains."""
        words, data = source.words, source.data
        return frozenset(
            rule
            for rule in self.rules
            if not (self._words[rule] or self._parts[rule])
            or not self._words[rule].isdisjoint(words)
            or any(part in data for part in self._parts[rule])
        )

    def candidates(self, source: Source, active: frozenset[Rule]) -> Candidates:
        """Return the nodes that a trigger names and the aliases of called names, in one walk."""
        triggers = _ActiveTriggers(self, active)
        nodes = scan(source.tree, triggers.kinds)
        aliases = frozenset(triggers.aliases(nodes))
        hits = [(node, rules) for node in nodes if (rules := triggers.rules(node, aliases))]
        return Candidates(hits, aliases)  # type: ignore[arg-type]  # every scanned kind has a position

    def slices(
        self, source: Source, hits: list[tuple[Candidate, list[Rule]]]
    ) -> tuple[list[Slice], list[NotAnalysed]]:
        """Return the slices that contain a candidate, none inside another, and the rules that failed."""
        slices: set[Slice] = set()
        problems: list[NotAnalysed] = []
        for node, rules in hits:
            enclosing = Enclosing(source.tree, node)
            for rule in rules:
                piece = _slice_for(source, rule, node, enclosing)
                if isinstance(piece, Slice):
                    slices.add(piece)
                elif piece is not None:
                    problems.append(piece)
        return _outermost(slices), problems


class Candidates(NamedTuple):
    """Nodes with the rules that they trigger, and the local aliases of the names in call triggers."""

    hits: list[tuple[Candidate, list[Rule]]]
    aliases: frozenset[str]


class _ActiveTriggers:
    """The triggers of the rules that are active in one file."""

    def __init__(self, prefilter: Prefilter, active: frozenset[Rule]) -> None:
        self._nodes = {
            kind: [r for r in prefilter.nodes[kind] if r in active] for kind in prefilter.nodes
        }
        self._calls = {n: [r for r in rs if r in active] for n, rs in prefilter.calls.items()}
        self._keywords = {n: [r for r in rs if r in active] for n, rs in prefilter.keywords.items()}
        self._attributes = {
            n: [r for r in rs if r in active] for n, rs in prefilter.attributes.items()
        }
        self._callers = [rule for rule in prefilter.rules if rule in active and rule.triggers.calls]
        self._called = {name for rule in self._callers for name in rule.triggers.calls}
        self.kinds = frozenset(self._kinds())

    def rules(self, node: ast.AST, aliases: frozenset[str]) -> list[Rule]:
        """Return the rules that a node triggers, each once."""
        rules = self._nodes.get(node.__class__, [])
        if node.__class__ is ast.Call:
            name = terminal_name(node.func)
            rules = rules + self._calls.get(name, [])
            if name in aliases:
                rules = rules + self._callers
            if self._keywords:
                for keyword in node.keywords:
                    rules = rules + self._keywords.get(keyword.arg or "", [])
        elif node.__class__ is ast.Attribute and self._attributes:
            rules = rules + self._attributes.get(node.attr, [])
        return list(dict.fromkeys(rules)) if len(rules) > 1 else rules

    def aliases(self, nodes: list[ast.AST]) -> Iterator[str]:
        """Yield local aliases of called names: `sdpa = F.scaled_...`, `from torch import x as y`."""
        if not self._called:
            return
        for node in nodes:
            if node.__class__ is ast.Assign:
                yield from self._assigned(node)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                renamed = (alias for alias in node.names if alias.asname)
                named = (a for a in renamed if a.name.rpartition(".")[2] in self._called)
                yield from (alias.asname or "" for alias in named)

    def _assigned(self, node: ast.Assign) -> Iterator[str]:
        if terminal_name(node.value) in self._called:
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))

    def _kinds(self) -> Iterator[type[ast.AST]]:
        yield from (kind for kind, rules in self._nodes.items() if rules)
        if self._called or any(self._keywords.values()):
            yield ast.Call
        if self._called:
            yield from (ast.Assign, ast.Import, ast.ImportFrom)
        if any(self._attributes.values()):
            yield ast.Attribute


def terminal_name(node: ast.expr) -> str:
    """Return the last part of a called name: `c` for `a.b.c(...)`, empty for anything else."""
    if node.__class__ is ast.Attribute:
        return node.attr
    return node.id if node.__class__ is ast.Name else ""


def _kinds_called(name: str, rule: Rule) -> tuple[type[ast.AST], ...]:
    if name not in AST_TYPES:
        hint = did_you_mean(name, AST_TYPES)
        raise RuleLoadError(f"rule {rule.id}: no node is called '{name}'{hint}")
    return AST_TYPES[name]


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


def _slice_for(
    source: Source, rule: Rule, node: Candidate, enclosing: Enclosing
) -> Slice | NotAnalysed | None:
    """Return the slice that a rule needs to check a candidate, None if `may_match` rejects it."""
    try:
        return _slice(source, enclosing, rule.reach) if rule.may_match(node, enclosing) else None
    # A rule that raises, whatever it raises, costs that rule on this file and is named.
    except FAILURES as error:
        return crash(source.path, rule, error)


def _slice(source: Source, enclosing: Sequence[ast.stmt], reach: Reach) -> Slice:
    """Return the smallest slice of whole lines that covers the reach of a rule."""
    for statement in _owners(enclosing, reach):
        first, last = first_line(statement), last_line(statement)
        if _owns_its_lines(source.lines, statement, first, last):
            return Slice(first, last, statement)
    return Slice.whole(source)


def _owners(enclosing: Sequence[ast.stmt], reach: Reach) -> Iterable[ast.stmt]:
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
    return reversed(list(enclosing)[: smallest + 1])


def _owns_its_lines(lines: list[str], statement: ast.stmt, first: int, last: int) -> bool:
    """Return whether a statement shares its lines with no other (as after `;`, or an `elif`)."""
    start, end = lines[first - 1], lines[last - 1]
    column = statement.col_offset
    before = (
        start.encode()[:column]
        if first == statement.lineno
        else start[: len(start) - len(start.lstrip())].encode()
    )
    after = end.encode()[statement.end_col_offset or 0 :].strip()
    is_elif = isinstance(statement, ast.If) and start.lstrip().startswith("elif")
    clean = not before.strip() and (not after or after.startswith(b"#"))
    return clean and not is_elif and "\f" not in start and not start.lstrip().startswith("\\")


def _outermost(slices: set[Slice]) -> list[Slice]:
    """Return the slices that lie inside no other."""
    kept: list[Slice] = []
    for candidate in sorted(slices, key=lambda s: (s.first, -s.last)):
        if not kept or candidate.last > kept[-1].last:
            kept.append(candidate)
    return kept
