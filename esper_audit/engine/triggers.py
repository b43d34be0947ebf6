"""Find the nodes of a file that trigger each rule: by words of the file, then by node type and names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from esper_audit.rules.node_types import CST_NODE_TYPES, NODE_TYPES
from esper_audit.rules.rule import CstRule, FileRule, Triggers
from esper_audit.source.syntax.ast_walk import collect
from esper_audit.source.syntax.names import terminal_name
from esper_audit.source.syntax.source import Source, words_of

# What a rule may ask the `FileView` for costs less here than a second walk, names and constants excepted.
COLLECTED_ALWAYS = frozenset(
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, (ast.stmt, ast.expr, ast.excepthandler))
) - {ast.Name, ast.Constant}
Candidate: TypeAlias = ast.expr | ast.stmt | ast.ExceptHandler


class Candidates(NamedTuple):
    """The nodes that trigger each rule, all collected nodes by type, and the aliases of called names."""

    by_rule: Mapping[FileRule, list[Candidate]]
    nodes: Mapping[type[ast.AST], list[ast.AST]]
    aliases: frozenset[str]


class TriggerTable:
    """The triggers of a set of rules as tables, so that one walk of a file serves all of them.

    `triggers` are those of each rule by its id, `rule_of` returns a rule by its id. It is called at the
    first file in which the rule can have a finding.
    """

    def __init__(
        self, triggers: Mapping[str, Triggers], rule_of: Callable[[str], FileRule]
    ) -> None:
        self.rules = frozenset(triggers)
        self._rule_of = rule_of
        self._by_word: dict[bytes, list[str]] = defaultdict(list)
        self._by_part: dict[bytes, list[str]] = defaultdict(list)
        self._always: set[str] = set()
        for check, triggered_by in triggers.items():
            words = _words(triggered_by)
            for word in _as_bytes(words):
                self._by_word[word].append(check)
            for part in _as_bytes(triggered_by.parts):
                self._by_part[part].append(check)
            if not words and not triggered_by.parts:
                self._always.add(check)
        self._words = frozenset(self._by_word)
        # The parts of most rules first, then the shortest: most are not searched once these are found.
        self._parts = sorted(self._by_part.items(), key=lambda p: (-len(p[1]), len(p[0]), p[0]))
        self._active_triggers: dict[frozenset[str], _ActiveTriggers] = {}

    @classmethod
    def of(cls, rules: Iterable[FileRule]) -> TriggerTable:
        """Return the table of rules that are imported already."""
        by_id = {rule.id: rule for rule in rules}
        return cls({check: rule.triggers for check, rule in by_id.items()}, by_id.__getitem__)

    def active(self, data: bytes) -> frozenset[str]:
        """Return the ids of the rules that can have a finding in a file, by the words that it contains."""
        active = set(self._always)
        for word in self._words & words_of(data):
            active.update(self._by_word[word])
        for part, checks in self._parts:
            if not active.issuperset(checks) and part in data:
                active.update(checks)
        return frozenset(active)

    def candidates(self, source: Source, active: frozenset[str]) -> Candidates:
        """Return the nodes that trigger the active rules, found in one walk."""
        return self.load(active).candidates(source)

    def load(self, active: frozenset[str]) -> _ActiveTriggers:
        """Import the active rules, and return their triggers."""
        if active not in self._active_triggers:
            rules = [self._rule_of(check) for check in sorted(active)]
            self._active_triggers[active] = _ActiveTriggers(rules)
        return self._active_triggers[active]


class _ActiveTriggers:
    """The triggers of the rules that are active in a file."""

    def __init__(self, rules: Sequence[FileRule]) -> None:
        self._rules = rules
        self._kinds = {rule: list(_kinds_of(rule)) for rule in self._rules}
        self._called = _by_name((n, r) for r in self._rules for n in r.triggers.calls)
        self._callers = [rule for rule in self._rules if rule.triggers.calls]
        self._keywords = _by_name((n, r) for r in self._rules for n in r.triggers.keywords)
        self._attributes = _by_name((n, r) for r in self._rules for n in r.triggers.attributes)
        wanted = {kind for kinds in self._kinds.values() for kind in kinds}
        wanted |= {k for r in self._rules for k in _types(r, r.triggers.collected)}
        self._wanted = frozenset(wanted | COLLECTED_ALWAYS)

    def candidates(self, source: Source) -> Candidates:
        """Return the nodes that trigger the rules, each once for a rule."""
        nodes = collect(source.tree, self._wanted)
        by_rule: dict[FileRule, list[Candidate]] = {
            rule: [node for kind in kinds for node in nodes[kind]]  # type: ignore[misc]  # these types have places
            for rule, kinds in self._kinds.items()
        }
        aliases = frozenset(self._aliases(nodes)) if self._called else frozenset()
        several: set[FileRule] = set()
        for rule, node in self._named(nodes, aliases):
            by_rule[rule].append(node)
            several.add(rule)
        for rule in several:
            by_rule[rule] = list(dict.fromkeys(by_rule[rule]))
        return Candidates({r: found for r, found in by_rule.items() if found}, nodes, aliases)

    def _named(
        self, nodes: Mapping[type[ast.AST], list[ast.AST]], aliases: frozenset[str]
    ) -> Iterator[tuple[FileRule, Candidate]]:
        """Yield the calls and attributes that trigger rules by a name."""
        calls: list[ast.Call] = nodes.get(ast.Call, [])  # type: ignore[assignment]  # the list of this type
        if self._called:
            for call in calls:
                name = terminal_name(call.func)
                if name in self._called:
                    yield from ((rule, call) for rule in self._called[name])
                if name in aliases:
                    yield from ((rule, call) for rule in self._callers)
        if self._keywords:
            given = ((call, keyword.arg or "") for call in calls for keyword in call.keywords)
            for node, word in given:
                yield from ((rule, node) for rule in self._keywords.get(word, ()))
        if self._attributes:
            attributes: list[ast.Attribute] = nodes[ast.Attribute]  # type: ignore[assignment]  # the list of this type
            for attribute in attributes:
                yield from ((r, attribute) for r in self._attributes.get(attribute.attr, ()))

    def _aliases(self, nodes: Mapping[type[ast.AST], list[ast.AST]]) -> Iterator[str]:
        """Yield local aliases of called names: `sdpa = F.scaled_...`, `from torch import x as y`."""
        assigned = (node for node in nodes[ast.Assign] if isinstance(node, ast.Assign))
        for node in assigned:
            if terminal_name(node.value) in self._called:
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        for statement in (*nodes[ast.Import], *nodes[ast.ImportFrom]):
            assert isinstance(statement, (ast.Import, ast.ImportFrom))
            renamed = (alias for alias in statement.names if alias.asname)
            named = (a for a in renamed if a.name.rpartition(".")[2] in self._called)
            yield from (alias.asname or "" for alias in named)


def _kinds_of(rule: FileRule) -> Iterator[type[ast.AST]]:
    return _types(rule, rule.triggers.nodes)


def _types(rule: FileRule, names: frozenset[str]) -> Iterator[type[ast.AST]]:
    table = CST_NODE_TYPES if isinstance(rule, CstRule) else NODE_TYPES
    return (kind for name in sorted(names) for kind in table[name])


def _by_name(pairs: Iterable[tuple[str, FileRule]]) -> dict[str, list[FileRule]]:
    table: dict[str, list[FileRule]] = defaultdict(list)
    for name, rule in pairs:
        table[name].append(rule)
    return dict(table)


def _words(triggers: Triggers) -> frozenset[str]:
    return triggers.words or triggers.calls | triggers.attributes | triggers.keywords


def _as_bytes(words: Iterable[str]) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words)
