"""The table of rules by which two observations are the same finding."""

from __future__ import annotations

import enum
from typing import NamedTuple

from esper_audit.tracking.current_tree import OldLocationState
from esper_audit.tracking.observation import (
    CodeSimilarity,
    ContextSimilarity,
    NeighbourSimilarity,
    SymbolSimilarity,
)


class NewLocationState(enum.IntEnum):
    """Whether earlier findings were in the scope of the new location, in its file only, or in neither."""

    KNOWN_SCOPE = 0
    NEW_SCOPE = 1
    NEW_FILE = 2


class PairComparison(NamedTuple):
    """The result of comparing an old observation with a new one.

    `context_share` is between 0 and 1.
    """

    old_location: OldLocationState
    same_file: bool
    symbol: SymbolSimilarity
    code: CodeSimilarity
    same_statement: bool
    context: ContextSimilarity
    neighbours: NeighbourSimilarity
    new_location: NewLocationState
    context_share: float

    @property
    def strength(self) -> tuple[float, ...]:
        """The key that ranks pairs which match by the same rule, the best highest."""
        return (
            self.same_statement,
            self.neighbours,
            self.same_file,
            self.context,
            self.context_share,
        )


class MatchRule(NamedTuple):
    """The accepted states of the old location, and the least value of every other part of a comparison."""

    name: str
    old_locations: frozenset[OldLocationState]
    same_file: bool
    symbol: SymbolSimilarity
    code: CodeSimilarity
    same_statement: bool
    context: ContextSimilarity
    neighbours: NeighbourSimilarity
    new_location: NewLocationState

    @property
    def is_move(self) -> bool:
        """Return whether the finding moved, or its code was edited, if this rule matches."""
        return self is not MATCH_RULES[0]

    def is_met_by(self, pair: PairComparison) -> bool:
        """Return whether a comparison reaches every value of this rule."""
        reached = zip(pair[1 : len(self) - 1], self[2:], strict=True)
        return pair.old_location in self.old_locations and all(
            found >= least for found, least in reached
        )


ANY = frozenset(OldLocationState)
GONE = frozenset({OldLocationState.SCOPE_GONE})
CLOSED = frozenset({OldLocationState.GAP_CLOSED})
ALONE = frozenset({OldLocationState.NEIGHBOURS_GONE})
ANY_SYMBOL, LAST_NAME, SYMBOL = SymbolSimilarity
_, EDITED, RENAMED, CODE = CodeSimilarity
NONE, SOME, HALF, ALL, SEVERAL = ContextSimilarity
NEITHER, BOTH = NeighbourSimilarity.NEITHER, NeighbourSimilarity.BOTH
KNOWN, SCOPE, FILE = NewLocationState

# The first rule that matches decides. A value that demands nothing: ANY, False, ANY_SYMBOL, NONE, NEITHER, KNOWN.
MATCH_RULES = tuple(MatchRule(*row) for row in (
    # name                                    old     same   symbol      code     same   context  neigh-   new
    #                                         place   file                        statement       bours    place
    ("place and code",                        ANY,    True,  SYMBOL,     CODE,    False, NONE,    NEITHER, KNOWN),
    ("place and shape of the code",           ANY,    True,  SYMBOL,     RENAMED, False, NONE,    NEITHER, KNOWN),
    ("place and neighbours",                  ANY,    True,  SYMBOL,     EDITED,  False, NONE,    BOTH,    KNOWN),
    ("code, name and context",                GONE,   True,  LAST_NAME,  CODE,    False, SOME,    NEITHER, SCOPE),
    ("code, symbol and context",              GONE,   False, SYMBOL,     CODE,    False, HALF,    NEITHER, SCOPE),
    ("code and context",                      GONE,   True,  ANY_SYMBOL, CODE,    False, HALF,    NEITHER, SCOPE),
    ("shape, symbol and context",             GONE,   False, SYMBOL,     RENAMED, False, HALF,    NEITHER, SCOPE),
    ("shape and context",                     GONE,   True,  ANY_SYMBOL, RENAMED, False, HALF,    NEITHER, SCOPE),
    ("code, symbol and neighbours",           GONE,   False, SYMBOL,     CODE,    False, SOME,    BOTH,    SCOPE),
    ("code and neighbours",                   GONE,   True,  ANY_SYMBOL, CODE,    False, SOME,    BOTH,    SCOPE),
    ("statement, removed from its old place", CLOSED, True,  ANY_SYMBOL, CODE,    True,  NONE,    NEITHER, KNOWN),
    ("statement and both neighbours",         ALONE,  False, ANY_SYMBOL, CODE,    True,  NONE,    BOTH,    KNOWN),
    ("code, name and whole context",          GONE,   False, LAST_NAME,  CODE,    False, ALL,     NEITHER, FILE),
    ("code and whole context",                GONE,   False, ANY_SYMBOL, CODE,    False, ALL,     NEITHER, FILE),
    ("statement and symbol",                  GONE,   False, SYMBOL,     CODE,    True,  NONE,    NEITHER, FILE),
    ("statement of a removed function",       GONE,   True,  ANY_SYMBOL, CODE,    True,  NONE,    NEITHER, SCOPE),
    ("shape and several lines of context",    GONE,   False, ANY_SYMBOL, RENAMED, False, SEVERAL, NEITHER, FILE),
))  # fmt: skip
