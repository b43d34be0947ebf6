"""What it takes to say that a finding is one that was seen before: a table, the first row that holds decides."""

from __future__ import annotations

import enum
from typing import NamedTuple

from esper_audit.tracking.current_tree import Left
from esper_audit.tracking.observation import Around, Code, Near, Symbol


class Fresh(enum.IntEnum):
    """Whether tickets were at the new place before: in that very scope, elsewhere in that file, nowhere."""

    KNOWN = 0
    SCOPE = 1
    FILE = 2


class Facts(NamedTuple):
    """What a comparison of two sightings gave; `path` and `statement` mean the same one."""

    left: Left
    path: bool
    symbol: Symbol
    code: Code
    statement: bool
    around: Around
    near: Near
    fresh: Fresh
    shared: float

    @property
    def strength(self) -> tuple[float, ...]:
        """The key by which pairs are preferred that the same row lets through."""
        return (self.statement, self.near, self.path, self.around, self.shared)


class Row(NamedTuple):
    """One way to be the same finding: what is demanded at least, and how to say it."""

    by: str
    place: frozenset[Left]
    path: bool
    symbol: Symbol
    code: Code
    statement: bool = False
    around: Around = Around.NONE
    near: Near = Near.NEITHER
    fresh: Fresh = Fresh.KNOWN

    @property
    def is_a_move(self) -> bool:
        """Whether it takes a finding to have moved, or been edited, for this row to hold."""
        return self is not TABLE[0]

    def holds(self, facts: Facts) -> bool:
        """Say whether the facts are enough for this row."""
        return facts.left in self.place and all(
            found >= wanted
            for found, wanted in zip(facts[1 : len(self) - 1], self[2:], strict=True)
        )


ANY = frozenset(Left)
GONE = frozenset({Left.GONE})
CLOSED = frozenset({Left.CLOSED})
BLOCK_LEFT = frozenset({Left.BLOCK_LEFT})

ANY_FILE, SAME_FILE = False, True

TABLE: tuple[Row, ...] = (
    Row("place and code", ANY, SAME_FILE, Symbol.SAME, Code.SAME),
    Row("place and shape of the code", ANY, SAME_FILE, Symbol.SAME, Code.RENAMED_VARIABLES),
    Row("place and neighbours", ANY, SAME_FILE, Symbol.SAME, Code.EDITED, near=Near.BOTH),
    Row(
        "code, name and surroundings",
        GONE,
        SAME_FILE,
        Symbol.LAST_NAME,
        Code.SAME,
        around=Around.SOMETHING,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "code, symbol and surroundings",
        GONE,
        ANY_FILE,
        Symbol.SAME,
        Code.SAME,
        around=Around.HALF,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "code and surroundings",
        GONE,
        SAME_FILE,
        Symbol.OTHER,
        Code.SAME,
        around=Around.HALF,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "shape, symbol and surroundings",
        GONE,
        ANY_FILE,
        Symbol.SAME,
        Code.RENAMED_VARIABLES,
        around=Around.HALF,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "shape and surroundings",
        GONE,
        SAME_FILE,
        Symbol.OTHER,
        Code.RENAMED_VARIABLES,
        around=Around.HALF,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "code, symbol and neighbours",
        GONE,
        ANY_FILE,
        Symbol.SAME,
        Code.SAME,
        around=Around.SOMETHING,
        near=Near.BOTH,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "code and neighbours",
        GONE,
        SAME_FILE,
        Symbol.OTHER,
        Code.SAME,
        around=Around.SOMETHING,
        near=Near.BOTH,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "statement, gone from where it was",
        CLOSED,
        SAME_FILE,
        Symbol.OTHER,
        Code.SAME,
        statement=True,
    ),
    Row(
        "statement and both its neighbours",
        BLOCK_LEFT,
        ANY_FILE,
        Symbol.OTHER,
        Code.SAME,
        statement=True,
        near=Near.BOTH,
    ),
    Row(
        "code, name and much around",
        GONE,
        ANY_FILE,
        Symbol.LAST_NAME,
        Code.SAME,
        around=Around.ALL,
        fresh=Fresh.FILE,
    ),
    Row(
        "code and much around",
        GONE,
        ANY_FILE,
        Symbol.OTHER,
        Code.SAME,
        around=Around.ALL,
        fresh=Fresh.FILE,
    ),
    Row(
        "statement and symbol",
        GONE,
        ANY_FILE,
        Symbol.SAME,
        Code.SAME,
        statement=True,
        fresh=Fresh.FILE,
    ),
    Row(
        "statement, its function being gone",
        GONE,
        SAME_FILE,
        Symbol.OTHER,
        Code.SAME,
        statement=True,
        fresh=Fresh.SCOPE,
    ),
    Row(
        "shape and much around",
        GONE,
        ANY_FILE,
        Symbol.OTHER,
        Code.RENAMED_VARIABLES,
        around=Around.HALF_OF_MUCH,
        fresh=Fresh.FILE,
    ),
)
