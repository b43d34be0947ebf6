"""Find the nodes of a file that trigger each rule: by words of the file, then by node type and names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from esper_audit.rules.node_types import CST_NODE_TYPES, NODE_TYPES
from esper_audit.rules.rule import CstRule, FileRule
from esper_audit.source.syntax.ast_walk import collect
from esper_audit.source.syntax.names import terminal_name
from esper_audit.source.syntax.source import Source

Candidate: TypeAlias = ast.expr | ast.stmt | ast.ExceptHandler


class Candidates(NamedTuple):
    """The nodes that trigger each rule, all collected nodes by type, and the aliases of called names."""

    by_rule: Mapping[FileRule, list[Candidate]]
    nodes: Mapping[type[ast.AST], list[ast.AST]]
    aliases: frozenset[str]


class TriggerTable:
    """The triggers of a set of rules as tables, so that one walk of a file serves all of them."""

    def __init__(self, rules: Sequence[FileRule]) -> None:
        self.rules = frozenset(rules)
        self._by_word: dict[bytes, list[FileRule]] = defaultdict(list)
        self._parts = {
            # The shortest first: it is the most likely to be there.
            r: sorted(_as_bytes(r.triggers.parts), key=lambda part: (len(part), part))
            for r in rules
            if r.triggers.parts
        }
        for rule in rules:
            for word in _as_bytes(_words(rule)):
                self._by_word[word].append(rule)
        self._words = frozenset(self._by_word)
        self._always = [r for r in rules if not _words(r) and not r.triggers.parts]
        self._active_triggers: dict[frozenset[FileRule], _ActiveTriggers] = {}
        self._all_triggers = _ActiveTriggers(self.rules)

    def active(self, source: Source) -> frozenset[FileRule]:
        """Return the rules that can have a finding in a file, by the words that it contains."""
        active = set(self._always)
        for word in self._words & source.words:
            active.update(self._by_word[word])
        for rule, parts in self._parts.items():
            if rule not in active and any(part in source.data for part in parts):
                active.add(rule)
        return frozenset(active)

    def candidates(self, source: Source, active: frozenset[FileRule]) -> Candidates:
        """Return the nodes that trigger the active rules, found in one walk."""
        if active not in self._active_triggers:
            self._active_triggers[active] = _ActiveTriggers(active)
        return self._active_triggers[active].candidates(source)


class _ActiveTriggers:
    """The triggers of the rules that are active in a file."""

    def __init__(self, rules: frozenset[FileRule]) -> None:
        self._rules = sorted(rules, key=lambda rule: rule.id)
        self._kinds = {rule: list(_kinds_of(rule)) for rule in self._rules}
        self._called = _by_name((n, r) for r in self._rules for n in r.triggers.calls)
        self._callers = [rule for rule in self._rules if rule.triggers.calls]
        self._keywords = _by_name((n, r) for r in self._rules for n in r.triggers.keywords)
        self._attributes = _by_name((n, r) for r in self._rules for n in r.triggers.attributes)
        self._wanted = {kind for kinds in self._kinds.values() for kind in kinds}
        self._wanted |= {k for r in self._rules for k in _types(r, r.triggers.collected)}
        if self._called:
            self._wanted |= {ast.Call, ast.Assign, ast.Import, ast.ImportFrom}
        if self._keywords:
            self._wanted.add(ast.Call)
        if self._attributes:
            self._wanted.add(ast.Attribute)

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


def _words(rule: FileRule) -> frozenset[str]:
    triggers = rule.triggers
    return triggers.words or triggers.calls | triggers.attributes | triggers.keywords


def _as_bytes(words: Iterable[str]) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words)
