"""An observation of a finding, now or from its ticket, and how similar two of them are."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

import msgspec

from esper_audit.findings.finding import Finding, first_of_lines
from esper_audit.source.syntax.source import Source
from esper_audit.tracking.context_hash import EDGE, MAX_CONTEXT_HASHES, ContextHash
from esper_audit.tracking.context_hashing import ContextHashes
from esper_audit.tracking.tracked_ticket import RESOLVED_BY_CHANGE, TrackedTicket

SourceReader = Callable[[str], Source | None]
# Of the surroundings that two observations have in common: a share of them, and a number of clauses.
HALF = 0.5
SEVERAL = 3


class Observation(msgspec.Struct, frozen=True):
    """A finding at a location.

    `key` identifies it to the caller.

    `line` is where it was last found and only orders observations. Without a context hash only an
    equal fingerprint can match it. `is_resolved` means that it was found fixed: such a finding can
    reappear at its location but does not match one elsewhere.
    """

    key: str
    check: str
    path: str
    symbol: str
    line: int
    fingerprint: str
    context_hash: ContextHash | None
    is_resolved: bool = False

    @property
    def order(self) -> tuple[str, int, str, str]:
        """The key that sorts observations by path and line."""
        return (self.path, self.line, self.fingerprint, self.key)

    @property
    def scope(self) -> tuple[str, str]:
        """The path and the symbol."""
        return (self.path, self.symbol)

    @property
    def duplicate_key(self) -> tuple[str, ...]:
        """The key of findings whose fingerprints differ by the ordinal only, unique without context hash."""
        if self.context_hash is None:
            return (self.key,)
        return (self.check, self.path, self.symbol, self.context_hash.code)


def observations(findings: Iterable[Finding], read: SourceReader) -> list[Observation]:
    """Return findings as observations whose keys are the fingerprints.

    `read` returns a file's source.
    """
    by_file: dict[str, ContextHashes | None] = {}
    return [_observation(finding, by_file, read) for finding in findings]


def observation_of_ticket(ticket: TrackedTicket) -> Observation:
    """Return the finding of a ticket as it was when the ticket was last refreshed."""
    location = ticket.locations[0]
    return Observation(
        key=ticket.id,
        check=ticket.check,
        path=location.path,
        symbol=location.symbol,
        line=first_of_lines(location.lines),
        fingerprint=ticket.fingerprint,
        context_hash=ticket.likeness,
        is_resolved=ticket.status == RESOLVED_BY_CHANGE,
    )


def _observation(
    finding: Finding, by_file: dict[str, ContextHashes | None], read: SourceReader
) -> Observation:
    location = finding.location
    if location.path not in by_file:
        source = read(location.path)
        by_file[location.path] = None if source is None else ContextHashes(source)
    hashes = by_file[location.path]
    return Observation(
        key=finding.fingerprint,
        check=finding.check,
        path=location.path,
        symbol=location.symbol,
        line=location.line,
        fingerprint=finding.fingerprint,
        context_hash=None if hashes is None else hashes.of(location),
    )


class CodeSimilarity(enum.IntEnum):
    """How similar the code is.

    Edited code has the same head, or gained words, or lost words.
    """

    DIFFERENT = 0
    EDITED = 1
    RENAMED_VARIABLES = 2
    SAME = 3


class SymbolSimilarity(enum.IntEnum):
    """Whether the dotted names are equal in no part that counts, in the last part, or in all parts."""

    DIFFERENT = 0
    LAST_NAME = 1
    SAME = 2


class ContextSimilarity(enum.IntEnum):
    """How much of the surrounding code is equal.

    SEVERAL is at least half, and at least three statements.
    """

    NONE = 0
    SOME = 1
    HALF = 2
    ALL = 3
    SEVERAL = 4


class NeighbourSimilarity(enum.IntEnum):
    """How many of the two neighbours in the block are equal."""

    NEITHER = 0
    ONE = 1
    BOTH = 2


def code_similarity(old: ContextHash, new: ContextHash, names_now: set[str]) -> CodeSimilarity:
    """Return how similar the code is.

    A variable counts as renamed only if its old name is not in `names_now`.
    """
    if old.code == new.code:
        return CodeSimilarity.SAME
    renamed = _are_renamed(old.names.split(), new.names.split(), names_now)
    if old.shape == new.shape:
        return CodeSimilarity.RENAMED_VARIABLES if renamed else CodeSimilarity.DIFFERENT
    if old.head == new.head and renamed:
        return CodeSimilarity.EDITED
    before, after = set(old.words.split()), set(new.words.split())
    nested = before < after or after < before
    return CodeSimilarity.EDITED if before and after and nested else CodeSimilarity.DIFFERENT


def symbol_similarity(old: Observation, new: Observation, *, same_file: bool) -> SymbolSimilarity:
    """Return how similar the dotted names are.

    Two module-level findings of different files have no name in common.
    """
    if old.symbol == new.symbol and (same_file or old.symbol):
        return SymbolSimilarity.SAME
    last = old.symbol.rpartition(".")[2]
    is_last_equal = bool(last) and last == new.symbol.rpartition(".")[2]
    return SymbolSimilarity.LAST_NAME if is_last_equal else SymbolSimilarity.DIFFERENT


def context_similarity(old: ContextHash, new: ContextHash) -> tuple[ContextSimilarity, float]:
    """Return how similar the surrounding code is, and the share of it that is equal, from 0 to 1."""
    before, after = set(old.around.split()), set(new.around.split())
    sample = sorted(before | after)
    if max(len(before), len(after)) == MAX_CONTEXT_HASHES:
        # A hash beyond the limit can be missing from one sample without being absent from the code.
        sample = sample[:MAX_CONTEXT_HASHES]
    common = [piece for piece in sample if piece in before and piece in after]
    share = len(common) / len(sample) if sample else 0.0
    if share >= HALF and len(common) >= SEVERAL:
        return ContextSimilarity.SEVERAL, share
    if old.scope == new.scope:
        return ContextSimilarity.ALL, 1.0
    if share >= HALF:
        return ContextSimilarity.HALF, share
    return (ContextSimilarity.SOME if common else ContextSimilarity.NONE), share


def neighbour_similarity(old: ContextHash, new: ContextHash) -> NeighbourSimilarity:
    """Return how many neighbours are equal.

    The edge of a block counts only if the other neighbour is equal too.
    """
    pairs = ((old.before, new.before), (old.after, new.after))
    equal = [before for before, after in pairs if before == after and before]
    if len(equal) == len(pairs):
        return NeighbourSimilarity.BOTH
    return NeighbourSimilarity(sum(neighbour != EDGE for neighbour in equal))


def _are_renamed(before: list[str], after: list[str], names_now: set[str]) -> bool:
    """Return whether every variable with another name now was renamed."""
    if len(before) != len(after):
        return False
    pairs = zip(before, after, strict=True)
    return all(old == new or old not in names_now for old, new in pairs)
