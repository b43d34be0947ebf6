"""What it takes to say that a finding is one that was seen before: a table, the first row that holds decides."""

from __future__ import annotations

import enum
from typing import NamedTuple

from esper_audit.tracking.current_tree import OldPlace
from esper_audit.tracking.observation import (
    CodeSimilarity,
    ContextSimilarity,
    NeighbourSimilarity,
    SymbolSimilarity,
)


class NewPlace(enum.IntEnum):
    """Whether tickets were at the new place before: in that very scope, elsewhere in that file, nowhere."""

    KNOWN = 0
    SCOPE = 1
    FILE = 2


class PairComparison(NamedTuple):
    """What a comparison of two sightings gave; `path` and `statement` mean the same one."""

    left: OldPlace
    path: bool
    symbol: SymbolSimilarity
    code: CodeSimilarity
    statement: bool
    around: ContextSimilarity
    near: NeighbourSimilarity
    fresh: NewPlace
    shared: float

    @property
    def strength(self) -> tuple[float, ...]:
        """The key by which pairs are preferred that the same row lets through."""
        return (self.statement, self.near, self.path, self.around, self.shared)


class MatchRule(NamedTuple):
    """One way to be the same finding: what is demanded at least, and how to say it."""

    by: str
    place: frozenset[OldPlace]
    path: bool
    symbol: SymbolSimilarity
    code: CodeSimilarity
    statement: bool = False
    around: ContextSimilarity = ContextSimilarity.NONE
    near: NeighbourSimilarity = NeighbourSimilarity.NEITHER
    fresh: NewPlace = NewPlace.KNOWN

    @property
    def is_a_move(self) -> bool:
        """Whether it takes a finding to have moved, or been edited, for this row to hold."""
        return self is not TABLE[0]

    def holds(self, facts: PairComparison) -> bool:
        """Return whether the facts are enough for this row."""
        return facts.left in self.place and all(
            found >= wanted
            for found, wanted in zip(facts[1 : len(self) - 1], self[2:], strict=True)
        )


ANY = frozenset(OldPlace)
GONE = frozenset({OldPlace.GONE})
CLOSED = frozenset({OldPlace.CLOSED})
BLOCK_LEFT = frozenset({OldPlace.BLOCK_LEFT})

ANY_FILE, SAME_FILE = False, True

TABLE: tuple[MatchRule, ...] = (
    MatchRule("place and code", ANY, SAME_FILE, SymbolSimilarity.SAME, CodeSimilarity.SAME),
    MatchRule(
        "place and shape of the code",
        ANY,
        SAME_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.RENAMED_VARIABLES,
    ),
    MatchRule(
        "place and neighbours",
        ANY,
        SAME_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.EDITED,
        near=NeighbourSimilarity.BOTH,
    ),
    MatchRule(
        "code, name and surroundings",
        GONE,
        SAME_FILE,
        SymbolSimilarity.LAST_NAME,
        CodeSimilarity.SAME,
        around=ContextSimilarity.SOMETHING,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "code, symbol and surroundings",
        GONE,
        ANY_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.SAME,
        around=ContextSimilarity.HALF,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "code and surroundings",
        GONE,
        SAME_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        around=ContextSimilarity.HALF,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "shape, symbol and surroundings",
        GONE,
        ANY_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.RENAMED_VARIABLES,
        around=ContextSimilarity.HALF,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "shape and surroundings",
        GONE,
        SAME_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.RENAMED_VARIABLES,
        around=ContextSimilarity.HALF,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "code, symbol and neighbours",
        GONE,
        ANY_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.SAME,
        around=ContextSimilarity.SOMETHING,
        near=NeighbourSimilarity.BOTH,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "code and neighbours",
        GONE,
        SAME_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        around=ContextSimilarity.SOMETHING,
        near=NeighbourSimilarity.BOTH,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "statement, gone from where it was",
        CLOSED,
        SAME_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        statement=True,
    ),
    MatchRule(
        "statement and both its neighbours",
        BLOCK_LEFT,
        ANY_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        statement=True,
        near=NeighbourSimilarity.BOTH,
    ),
    MatchRule(
        "code, name and much around",
        GONE,
        ANY_FILE,
        SymbolSimilarity.LAST_NAME,
        CodeSimilarity.SAME,
        around=ContextSimilarity.ALL,
        fresh=NewPlace.FILE,
    ),
    MatchRule(
        "code and much around",
        GONE,
        ANY_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        around=ContextSimilarity.ALL,
        fresh=NewPlace.FILE,
    ),
    MatchRule(
        "statement and symbol",
        GONE,
        ANY_FILE,
        SymbolSimilarity.SAME,
        CodeSimilarity.SAME,
        statement=True,
        fresh=NewPlace.FILE,
    ),
    MatchRule(
        "statement, its function being gone",
        GONE,
        SAME_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.SAME,
        statement=True,
        fresh=NewPlace.SCOPE,
    ),
    MatchRule(
        "shape and much around",
        GONE,
        ANY_FILE,
        SymbolSimilarity.OTHER,
        CodeSimilarity.RENAMED_VARIABLES,
        around=ContextSimilarity.HALF_OF_MUCH,
        fresh=NewPlace.FILE,
    ),
)
