"""Matching findings with earlier ones: by equal fingerprints first, then by the table of match rules.

The matching is one to one and does not depend on the order of its arguments.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple, TypeAlias

from esper_audit.tracking.current_tree import CurrentTree, FileMoves, OldLocationState
from esper_audit.tracking.match_rules import (
    MATCH_RULES,
    MatchRule,
    NewLocationState,
    PairComparison,
)
from esper_audit.tracking.observation import (
    CodeSimilarity,
    Observation,
    SymbolSimilarity,
    code_similarity,
    context_similarity,
    neighbour_similarity,
    symbol_similarity,
)

Pair: TypeAlias = tuple[Observation, Observation]
Candidate: TypeAlias = tuple[Observation, Observation, PairComparison]


class Match(NamedTuple):
    """An old and a new observation of one finding.

    `why` is empty if the fingerprints are equal.
    """

    old: Observation
    new: Observation
    why: str


def match_findings(
    old: Iterable[Observation],
    new: Iterable[Observation],
    current_tree: CurrentTree,
    *,
    may_move: Collection[str],
) -> list[Match]:
    """Match observations one to one, in the order of the new ones.

    `may_move` are the keys of the old observations whose file was checked. Only these can match a
    finding with another fingerprint.
    """
    return _Matcher(old, new, current_tree, may_move).run()


def match_fingerprints(
    old: Iterable[Observation],
    new: Iterable[Observation],
    ambiguous: Collection[tuple[str, ...]] = (),
) -> Iterator[Pair]:
    """Yield pairs with equal fingerprints, unresolved ones first, without the ambiguous duplicate keys."""
    by_fingerprint: dict[str, list[Observation]] = defaultdict(list)
    in_order = sorted(old, key=lambda observation: observation.order, reverse=True)
    for observation in sorted(in_order, key=lambda one: not one.is_resolved):
        if observation.duplicate_key not in ambiguous:
            by_fingerprint[observation.fingerprint].append(observation)
    for observation in new:
        if observation.duplicate_key in ambiguous:
            continue
        if by_fingerprint[observation.fingerprint]:
            yield by_fingerprint[observation.fingerprint].pop(), observation


class _Matcher:
    """The observations of both sides that have no match yet."""

    def __init__(
        self,
        old: Iterable[Observation],
        new: Iterable[Observation],
        current_tree: CurrentTree,
        may_move: Collection[str],
    ) -> None:
        self._old = {one.key: one for one in sorted(old, key=lambda one: one.order)}
        self._new = {one.key: one for one in sorted(new, key=lambda one: one.order)}
        self._tree = current_tree
        self._may_move = may_move
        self._moves = FileMoves(current_tree)
        self._old_scopes = {one.scope for one in self._old.values()}
        self._old_files = {one.path for one in self._old.values()}
        self._matches: list[Match] = []

    def run(self) -> list[Match]:
        """Return all matches, in the order of the new observations."""
        ambiguous = self._ambiguous()
        pairs = match_fingerprints(self._old.values(), self._new.values(), ambiguous)
        for old, new in list(pairs):
            self._add(Match(old, new, ""))
        while self._apply_rules():
            # With the moves of files known, a stronger rule may match the remaining observations.
            self._moves.learn((match.old, match.new) for match in self._matches)
        return sorted(self._matches, key=lambda match: match.new.order)

    def _ambiguous(self) -> set[tuple[str, ...]]:
        """Return the duplicate keys with more, or fewer, findings than before.

        Their fingerprints differ by an ordinal only, so each finding would take the ticket of the next.
        """
        checked = [
            one for one in self._old.values() if one.key in self._may_move and not one.is_resolved
        ]
        before = Counter(one.duplicate_key for one in checked if one.context_hash)
        now = Counter(one.duplicate_key for one in self._new.values() if one.context_hash)
        return {key for key, count in before.items() if now[key] not in (0, count)}

    def _apply_rules(self) -> bool:
        """Match by the rules in order until files turn out to have moved, and return whether they did."""
        candidates = [(old, new, self._compare(old, new)) for old, new in self._comparable()]
        for rule in MATCH_RULES:
            found = [
                (old, new, pair)
                for old, new, pair in candidates
                if rule.is_met_by(pair) and not (old.is_resolved and rule.is_move)
            ]
            # The sort is stable: candidates of equal strength stay in the order of the tree.
            found.sort(key=_preference(found))
            moved: set[tuple[str, str]] = set()
            for old, new, pair in found:
                paths = (old.path, new.path)
                is_unmatched = old.key in self._old and new.key in self._new
                if is_unmatched and (pair.same_file or moved <= {paths}):
                    self._add(Match(old, new, _explanation(rule, old, new, pair)))
                    moved |= set() if pair.same_file else {paths}
            if moved:
                return True
        return False

    def _add(self, match: Match) -> None:
        del self._old[match.old.key], self._new[match.new.key]
        self._matches.append(match)

    def _comparable(self) -> Iterator[Pair]:
        """Yield the pairs that a rule could match: one check, and code of one shape or in one scope."""
        by_shape: dict[tuple[str, str], list[Observation]] = defaultdict(list)
        by_symbol: dict[tuple[str, str], list[Observation]] = defaultdict(list)
        for new in self._new.values():
            if new.context_hash is not None:
                by_shape[new.check, new.context_hash.shape].append(new)
                by_symbol[new.check, new.symbol].append(new)
        for old in self._old.values():
            if old.context_hash is None or old.key not in self._may_move:
                continue
            same_shape = by_shape[old.check, old.context_hash.shape]
            yield from ((old, new) for new in same_shape)
            for new in by_symbol[old.check, old.symbol]:
                if new not in same_shape and self._moves.is_same_file(old.path, new.path):
                    yield old, new

    def _compare(self, old: Observation, new: Observation) -> PairComparison:
        before, now = old.context_hash, new.context_hash
        assert before is not None
        assert now is not None
        same_file = self._moves.is_same_file(old.path, new.path)
        symbol = symbol_similarity(old, new, same_file=same_file)
        context, share = context_similarity(before, now)
        names_now = self._tree.variable_hashes(new.path, new.symbol)
        return PairComparison(
            old_location=self._old_location(old, new, symbol),
            same_file=same_file,
            symbol=symbol,
            code=code_similarity(before, now, names_now),
            same_statement=before.statement == now.statement,
            context=context,
            neighbours=neighbour_similarity(before, now),
            new_location=self._new_location(new),
            context_share=share,
        )

    def _old_location(
        self, old: Observation, new: Observation, symbol: SymbolSimilarity
    ) -> OldLocationState:
        """Return what happened to the old location, in the file to which it moved if its own is gone."""
        path = self._moves.current_path(old.path, old.symbol)
        if self._tree.has_path(path):
            return self._tree.old_location_state(old, path, new_symbol=new.symbol)
        if symbol is SymbolSimilarity.SAME or not old.symbol:
            return OldLocationState.SCOPE_GONE
        return self._tree.old_location_state(old, new.path, new_symbol=new.symbol)

    def _new_location(self, new: Observation) -> NewLocationState:
        origins = self._moves.origins(new.path)
        if any((path, new.symbol) in self._old_scopes for path in origins):
            return NewLocationState.KNOWN_SCOPE
        is_new_file = self._old_files.isdisjoint(origins)
        return NewLocationState.NEW_FILE if is_new_file else NewLocationState.NEW_SCOPE


def _preference(candidates: Sequence[Candidate]) -> Callable[[Candidate], tuple[float, ...]]:
    """Return the key that ranks the candidates of one rule, the best lowest.

    Within a file the stronger pair is first. From file to file the order is: files that kept their
    last name, pairs of files with most candidates, the most similar names. So copies of one another
    that moved in one step each match their own new location.
    """
    by_files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for old, new, _ in candidates:
        by_files[old.path, new.path].add(old.key)

    def key(candidate: Candidate) -> tuple[float, ...]:
        old, new, pair = candidate
        strength = [-part for part in pair.strength]
        if pair.same_file:
            return (old.is_resolved, False, *strength)
        name_similarity = SequenceMatcher(None, old.path, new.path, autojunk=False).ratio()
        other_name = old.path.rpartition("/")[2] != new.path.rpartition("/")[2]
        count = len(by_files[old.path, new.path])
        return (old.is_resolved, True, other_name, -count, -name_similarity, *strength)

    return key


def _explanation(rule: MatchRule, old: Observation, new: Observation, pair: PairComparison) -> str:
    """Return the rule that matched and the changes, for the history of the ticket."""
    changes = {
        "moved to another file": old.path != new.path,
        "moved to another function or class": old.symbol != new.symbol,
        "variables renamed": pair.code is CodeSimilarity.RENAMED_VARIABLES,
        "code edited": pair.code is CodeSimilarity.EDITED,
    }
    return "; ".join(
        [f"matched by {rule.name}", *(text for text, holds in changes.items() if holds)]
    )
