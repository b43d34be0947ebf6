"""What it takes to say that a finding is one that was seen before: a table, the first row that holds decides."""

from __future__ import annotations

import enum
from typing import NamedTuple

from esper_audit.likeness import EDGE, MOST_AROUND, Likeness
from esper_audit.present import Left
from esper_audit.sighting import Sighting

HALF = 0.5
SEVERAL = 3


class Code(enum.IntEnum):
    """How much the code itself agrees; edited code has the same head, or lost or gained words only."""

    OTHER = 0
    EDITED = 1
    RENAMED_VARIABLES = 2
    SAME = 3


class Symbol(enum.IntEnum):
    """How much the dotted names agree: not, in the last part, in all."""

    OTHER = 0
    LAST_NAME = 1
    SAME = 2


class Around(enum.IntEnum):
    """How much of what is said around is the same: half of it, all of it, half of what is much."""

    NONE = 0
    SOMETHING = 1
    HALF = 2
    ALL = 3
    HALF_OF_MUCH = 4


class Near(enum.IntEnum):
    """How many of the two neighbours in the block are the same."""

    NEITHER = 0
    ONE = 1
    BOTH = 2


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


def code_agreement(old: Likeness, new: Likeness, names_now: set[str]) -> Code:
    """Compare code; variables count as renamed only if the old names are not mentioned any more."""
    if old.code == new.code:
        return Code.SAME
    renamed = _renamed(old.names.split(), new.names.split(), names_now)
    if old.shape == new.shape:
        return Code.RENAMED_VARIABLES if renamed else Code.OTHER
    if old.head == new.head and renamed:
        return Code.EDITED
    before, after = set(old.words.split()), set(new.words.split())
    nested = before < after or after < before
    return Code.EDITED if before and after and nested else Code.OTHER


def symbol_agreement(old: Sighting, new: Sighting, *, same_file: bool) -> Symbol:
    """Compare dotted names; that both stand in no function says nothing across files."""
    if old.symbol == new.symbol and (same_file or old.symbol):
        return Symbol.SAME
    last = old.symbol.rpartition(".")[2]
    return Symbol.LAST_NAME if last and last == new.symbol.rpartition(".")[2] else Symbol.OTHER


def around_agreement(old: Likeness, new: Likeness) -> tuple[Around, float]:
    """Compare what is said around, and give the share of it that is the same."""
    mine, theirs = set(old.around.split()), set(new.around.split())
    sample = sorted(mine | theirs)
    if max(len(mine), len(theirs)) == MOST_AROUND:
        sample = sample[:MOST_AROUND]  # beyond it one of the two would be known and the other not
    common = [piece for piece in sample if piece in mine and piece in theirs]
    share = len(common) / len(sample) if sample else 0.0
    if share >= HALF and len(common) >= SEVERAL:
        return Around.HALF_OF_MUCH, share
    if old.scope == new.scope:
        return Around.ALL, 1.0
    if share >= HALF:
        return Around.HALF, share
    return (Around.SOMETHING if common else Around.NONE), share


def near_agreement(old: Likeness, new: Likeness) -> Near:
    """Compare neighbours; the edge of a block is one only beside another that is the same."""
    same = [was for was, now in _beside(old, new) if was == now and was]
    real = [neighbour for neighbour in same if neighbour != EDGE]
    return Near.BOTH if len(same) == len(_beside(old, new)) else Near(len(real))


def _beside(old: Likeness, new: Likeness) -> tuple[tuple[str, str], tuple[str, str]]:
    return (old.before, new.before), (old.after, new.after)


def _renamed(before: list[str], after: list[str], names_now: set[str]) -> bool:
    """Say whether every variable that is called otherwise now was indeed renamed."""
    if len(before) != len(after):
        return False
    pairs = zip(before, after, strict=True)
    return all(was == now or was not in names_now for was, now in pairs)
