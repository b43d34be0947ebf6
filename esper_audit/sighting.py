"""One side of the question whether two findings are the same: what is known of a finding, now or from a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from esper_audit.finding import Finding
from esper_audit.likeness import Likeness
from esper_audit.likening import Likenesses
from esper_audit.source import Source

Read = Callable[[str], Source | None]


class Sighting(msgspec.Struct, frozen=True):
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
    likeness: Likeness | None
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


def sightings(findings: Iterable[Finding], read: Read) -> list[Sighting]:
    """Return findings as sightings under their fingerprints; `read` gives the source that they stand in."""
    by_file: dict[str, Likenesses | None] = {}
    return [_sighting(finding, by_file, read) for finding in findings]


def _sighting(finding: Finding, by_file: dict[str, Likenesses | None], read: Read) -> Sighting:
    at = finding.location
    if at.path not in by_file:
        source = read(at.path)
        by_file[at.path] = None if source is None else Likenesses(source)
    known = by_file[at.path]
    return Sighting(
        key=finding.fingerprint,
        check=finding.check,
        path=at.path,
        symbol=at.symbol,
        line=at.line,
        fingerprint=finding.fingerprint,
        likeness=None if known is None else known.of(at),
    )
