"""Bringing findings together with what was seen before: equal fingerprints first, then by the table of evidence.

One old sighting goes to at most one new one and the other way round; the order in which they are
given plays no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple, TypeAlias

from esper_audit.tracking.current_tree import CurrentTree, FileMoves, OldPlace
from esper_audit.tracking.match_rules import TABLE, MatchRule, NewPlace, PairComparison
from esper_audit.tracking.observation import (
    CodeSimilarity,
    Observation,
    SymbolSimilarity,
    around_agreement,
    code_agreement,
    near_agreement,
    symbol_agreement,
)

Pair: TypeAlias = tuple[Observation, Observation]
Candidate: TypeAlias = tuple[Observation, Observation, PairComparison]
PLACE_AND_CODE = TABLE[0]


class Match(NamedTuple):
    """An old and a new sighting of the same finding; `why` is empty where the fingerprints are equal."""

    old: Observation
    new: Observation
    why: str


def matched(
    old: Iterable[Observation],
    new: Iterable[Observation],
    present: CurrentTree,
    *,
    may_move: Collection[str],
) -> list[Match]:
    """Match sightings one to one; `may_move` are the keys of old ones whose place was looked at."""
    return _Matching(old, new, present, may_move).run()


def equal_fingerprints(
    old: Iterable[Observation],
    new: Iterable[Observation],
    contested: Collection[tuple[str, ...]] = (),
) -> Iterator[Pair]:
    """Yield pairs with equal fingerprints, those not settled first, contested ones left out."""
    known: dict[str, list[Observation]] = defaultdict(list)
    in_order = sorted(old, key=lambda s: s.order, reverse=True)
    for sighting in sorted(in_order, key=lambda s: not s.settled):
        if sighting.alike not in contested:
            known[sighting.fingerprint].append(sighting)
    for sighting in new:
        if sighting.alike not in contested and known[sighting.fingerprint]:
            yield known[sighting.fingerprint].pop(), sighting


class _Matching:
    """What is left on both sides while the rows of the table are gone through."""

    def __init__(
        self,
        old: Iterable[Observation],
        new: Iterable[Observation],
        present: CurrentTree,
        may_move: Collection[str],
    ) -> None:
        self._old = {s.key: s for s in sorted(old, key=lambda s: s.order)}
        self._new = {s.key: s for s in sorted(new, key=lambda s: s.order)}
        self._present = present
        self._may_move = may_move
        self._removals = FileMoves(present)
        self._places = {sighting.place for sighting in self._old.values()}
        self._files = {sighting.path for sighting in self._old.values()}
        self._done: list[Match] = []

    def run(self) -> list[Match]:
        """Return all matches, in the order of the new sightings."""
        contested = self._contested()
        for old, new in list(equal_fingerprints(self._old.values(), self._new.values(), contested)):
            self._take(Match(old, new, ""))
        while self._by_table():
            # What was learnt of files that moved may let a stronger row hold for the rest.
            self._removals.learn((match.old, match.new) for match in self._done)
        return sorted(self._done, key=lambda match: match.new.order)

    def _contested(self) -> set[tuple[str, ...]]:
        """Return what several findings are alike in that are more, or fewer, than they were.

        Their fingerprints only count them, so each would take the next one's ticket.
        """
        looked_at = [s for s in self._old.values() if s.key in self._may_move and not s.settled]
        before = Counter(s.alike for s in looked_at if s.likeness)
        now = Counter(s.alike for s in self._new.values() if s.likeness)
        return {alike for alike, count in before.items() if now[alike] not in (0, count)}

    def _by_table(self) -> bool:
        """Match by the rows in their order until files turn out to have moved; say whether they did."""
        candidates = [(old, new, self._facts(old, new)) for old, new in self._comparable()]
        for row in TABLE:
            found = [
                candidate
                for candidate in candidates
                if row.holds(candidate[2]) and not (candidate[0].settled and row.is_a_move)
            ]
            # The sort is stable: what is equally strong stays in the order of the tree.
            found.sort(key=_preference(found))
            moved: set[tuple[str, str]] = set()
            for old, new, facts in found:
                paths = (old.path, new.path)
                is_left = old.key in self._old and new.key in self._new
                if is_left and (facts.path or moved <= {paths}):
                    self._take(Match(old, new, _why(row, old, new, facts)))
                    moved |= set() if facts.path else {paths}
            if moved:
                return True
        return False

    def _take(self, match: Match) -> None:
        del self._old[match.old.key], self._new[match.new.key]
        self._done.append(match)

    def _comparable(self) -> Iterator[Pair]:
        """Yield the pairs that may be the same: of one check, with code of one shape or in one place."""
        alike: dict[tuple[str, str], list[Observation]] = defaultdict(list)
        for new in self._new.values():
            if new.likeness is not None:
                alike[new.check, new.likeness.shape].append(new)
                alike[new.check, f"in {new.symbol}"].append(new)
        for old in self._old.values():
            if old.likeness is None or old.key not in self._may_move:
                continue
            shaped = alike[old.check, old.likeness.shape]
            yield from ((old, new) for new in shaped)
            for new in alike[old.check, f"in {old.symbol}"]:
                if new not in shaped and self._removals.same_file(old.path, new.path):
                    yield old, new

    def _facts(self, old: Observation, new: Observation) -> PairComparison:
        seen, now = old.likeness, new.likeness
        assert seen is not None
        assert now is not None
        same_file = self._removals.same_file(old.path, new.path)
        symbol = symbol_agreement(old, new, same_file=same_file)
        around, shared = around_agreement(seen, now)
        return PairComparison(
            left=self._left(old, new, symbol),
            path=same_file,
            symbol=symbol,
            code=code_agreement(seen, now, self._present.names(new.path, new.symbol)),
            statement=seen.statement == now.statement,
            around=around,
            near=near_agreement(seen, now),
            fresh=self._fresh(new),
            shared=shared,
        )

    def _left(self, old: Observation, new: Observation, symbol: SymbolSimilarity) -> OldPlace:
        """Say what became of the old place; that of a file that is gone is looked for where it went."""
        path = self._removals.present_file(old.path, old.symbol)
        if self._present.has(path):
            return self._present.left(old, path, taken_in_by=new.symbol)
        if symbol is SymbolSimilarity.SAME or not old.symbol:
            return OldPlace.GONE
        return self._present.left(old, new.path, taken_in_by=new.symbol)

    def _fresh(self, new: Observation) -> NewPlace:
        origins = self._removals.origins(new.path)
        if any((path, new.symbol) in self._places for path in origins):
            return NewPlace.KNOWN
        return NewPlace.FILE if self._files.isdisjoint(origins) else NewPlace.SCOPE


def _preference(candidates: Sequence[Candidate]) -> Callable[[Candidate], tuple[float, ...]]:
    """Return the key by which candidates that one row lets through are preferred.

    Within a file, what is stronger. From file to file first those that kept their last name, then the
    pairs that have most in common, then the names most alike: copies of one another, moved in one
    step, go each to its own place.
    """
    going: dict[tuple[str, str], set[str]] = defaultdict(set)
    for old, new, _ in candidates:
        going[old.path, new.path].add(old.key)

    def key(candidate: Candidate) -> tuple[float, ...]:
        old, new, facts = candidate
        strength = [-part for part in facts.strength]
        if facts.path:
            return (old.settled, False, *strength)
        alike = SequenceMatcher(None, old.path, new.path, autojunk=False).ratio()
        other_name = old.path.rpartition("/")[2] != new.path.rpartition("/")[2]
        common = len(going[old.path, new.path])
        return (old.settled, True, other_name, -common, -alike, *strength)

    return key


def _why(row: MatchRule, old: Observation, new: Observation, facts: PairComparison) -> str:
    """Return what a person is told: what agreed, and what did not."""
    changes = {
        "it moved to another file": old.path != new.path,
        "it stands in another function or class": old.symbol != new.symbol,
        "variables were renamed": facts.code is CodeSimilarity.RENAMED_VARIABLES,
        "its code was edited": facts.code is CodeSimilarity.EDITED,
    }
    return "; ".join([f"matched by {row.by}", *(said for said, true in changes.items() if true)])
