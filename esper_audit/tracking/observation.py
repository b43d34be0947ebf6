"""One side of the question whether two findings are the same: what is known of a finding, now or from a ticket."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.context_hash import EDGE, MOST_AROUND, ContextHash
from esper_audit.tracking.context_hashing import ContextHashes
from esper_audit.tracking.tracked_ticket import RESOLVED_BY_CHANGE, TrackedTicket

Read = Callable[[str], Source | None]


class Observation(msgspec.Struct, frozen=True):
    """A finding at a place; `key` is how whoever asks knows it.

    `line` is where it was last seen and decides nothing but an order. Without a likeness only an
    equal fingerprint can match it. `settled` means that it was found fixed: it can come back to its
    place, but it has not moved anywhere.
    """

    key: str
    check: str
    path: str
    symbol: str
    line: int
    fingerprint: str
    likeness: ContextHash | None
    settled: bool = False

    @property
    def order(self) -> tuple[str, int, str, str]:
        """The key by which sightings are sorted: as they stand in the tree."""
        return (self.path, self.line, self.fingerprint, self.key)

    @property
    def place(self) -> tuple[str, str]:
        """Where it is, without the line."""
        return (self.path, self.symbol)

    @property
    def alike(self) -> tuple[str, ...]:
        """What findings share that are told apart by their number only; one of its own without likeness."""
        if self.likeness is None:
            return (self.key,)
        return (self.check, self.path, self.symbol, self.likeness.code)


def observations(findings: Iterable[Finding], read: Read) -> list[Observation]:
    """Return findings as sightings under their fingerprints; `read` gives the source that they stand in."""
    by_file: dict[str, ContextHashes | None] = {}
    return [_sighting(finding, by_file, read) for finding in findings]


def observation_of_ticket(ticket: TrackedTicket) -> Observation:
    """Return the finding of a ticket as it was when the ticket was last refreshed."""
    place = ticket.locations[0]
    return Observation(
        key=ticket.id,
        check=ticket.check,
        path=place.path,
        symbol=place.symbol,
        line=int(place.lines.partition(",")[0].partition("-")[0] or 0),
        fingerprint=ticket.fingerprint,
        likeness=ticket.likeness,
        settled=ticket.status == RESOLVED_BY_CHANGE,
    )


def _sighting(
    finding: Finding, by_file: dict[str, ContextHashes | None], read: Read
) -> Observation:
    at = finding.location
    if at.path not in by_file:
        source = read(at.path)
        by_file[at.path] = None if source is None else ContextHashes(source)
    known = by_file[at.path]
    return Observation(
        key=finding.fingerprint,
        check=finding.check,
        path=at.path,
        symbol=at.symbol,
        line=at.line,
        fingerprint=finding.fingerprint,
        likeness=None if known is None else known.of(at),
    )


HALF = 0.5
SEVERAL = 3


class CodeSimilarity(enum.IntEnum):
    """How much the code itself agrees; edited code has the same head, or lost or gained words only."""

    OTHER = 0
    EDITED = 1
    RENAMED_VARIABLES = 2
    SAME = 3


class SymbolSimilarity(enum.IntEnum):
    """How much the dotted names agree: not, in the last part, in all."""

    OTHER = 0
    LAST_NAME = 1
    SAME = 2


class ContextSimilarity(enum.IntEnum):
    """How much of what is said around is the same: half of it, all of it, half of what is much."""

    NONE = 0
    SOMETHING = 1
    HALF = 2
    ALL = 3
    HALF_OF_MUCH = 4


class NeighbourSimilarity(enum.IntEnum):
    """How many of the two neighbours in the block are the same."""

    NEITHER = 0
    ONE = 1
    BOTH = 2


def code_agreement(old: ContextHash, new: ContextHash, names_now: set[str]) -> CodeSimilarity:
    """Compare code; variables count as renamed only if the old names are not mentioned any more."""
    if old.code == new.code:
        return CodeSimilarity.SAME
    renamed = _renamed(old.names.split(), new.names.split(), names_now)
    if old.shape == new.shape:
        return CodeSimilarity.RENAMED_VARIABLES if renamed else CodeSimilarity.OTHER
    if old.head == new.head and renamed:
        return CodeSimilarity.EDITED
    before, after = set(old.words.split()), set(new.words.split())
    nested = before < after or after < before
    return CodeSimilarity.EDITED if before and after and nested else CodeSimilarity.OTHER


def symbol_agreement(old: Observation, new: Observation, *, same_file: bool) -> SymbolSimilarity:
    """Compare dotted names; that both stand in no function says nothing across files."""
    if old.symbol == new.symbol and (same_file or old.symbol):
        return SymbolSimilarity.SAME
    last = old.symbol.rpartition(".")[2]
    return (
        SymbolSimilarity.LAST_NAME
        if last and last == new.symbol.rpartition(".")[2]
        else SymbolSimilarity.OTHER
    )


def around_agreement(old: ContextHash, new: ContextHash) -> tuple[ContextSimilarity, float]:
    """Compare what is said around, and give the share of it that is the same."""
    mine, theirs = set(old.around.split()), set(new.around.split())
    sample = sorted(mine | theirs)
    if max(len(mine), len(theirs)) == MOST_AROUND:
        sample = sample[:MOST_AROUND]  # beyond it one of the two would be known and the other not
    common = [piece for piece in sample if piece in mine and piece in theirs]
    share = len(common) / len(sample) if sample else 0.0
    if share >= HALF and len(common) >= SEVERAL:
        return ContextSimilarity.HALF_OF_MUCH, share
    if old.scope == new.scope:
        return ContextSimilarity.ALL, 1.0
    if share >= HALF:
        return ContextSimilarity.HALF, share
    return (ContextSimilarity.SOMETHING if common else ContextSimilarity.NONE), share


def near_agreement(old: ContextHash, new: ContextHash) -> NeighbourSimilarity:
    """Compare neighbours; the edge of a block is one only beside another that is the same."""
    same = [was for was, now in _beside(old, new) if was == now and was]
    real = [neighbour for neighbour in same if neighbour != EDGE]
    return (
        NeighbourSimilarity.BOTH
        if len(same) == len(_beside(old, new))
        else NeighbourSimilarity(len(real))
    )


def _beside(old: ContextHash, new: ContextHash) -> tuple[tuple[str, str], tuple[str, str]]:
    return (old.before, new.before), (old.after, new.after)


def _renamed(before: list[str], after: list[str], names_now: set[str]) -> bool:
    """Return whether every variable that is called otherwise now was indeed renamed."""
    if len(before) != len(after):
        return False
    pairs = zip(before, after, strict=True)
    return all(was == now or was not in names_now for was, now in pairs)
