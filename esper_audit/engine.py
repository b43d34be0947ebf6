"""One file through the rules: words, sieve, slices, LibCST, findings; what could not be done is said, not skipped."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.finding import Finding, NotAnalysed
from esper_audit.identity import with_identity
from esper_audit.rule import Rule
from esper_audit.sieve import Sieve, Slice
from esper_audit.source import Source


class FileResult(msgspec.Struct, frozen=True):
    """What the rules say of one file, and which of them could not be asked."""

    findings: list[Finding]
    not_analysed: list[NotAnalysed]


class Engine:
    """A set of rules, ready to be asked about files; `sieve=False` hands LibCST every file whole."""

    def __init__(self, rules: Sequence[Rule], *, sieve: bool = True) -> None:
        self._sieve = Sieve(rules)
        self._with_sieve = sieve

    def analyse(self, source: Source) -> FileResult:
        """Return the findings of one file, sorted by place."""
        active = self._sieve.active(source)
        if not active:
            return FileResult([], [])
        hits, aliases = self._sieve.candidates(source, active)
        if self._with_sieve:
            slices, problems = self._sieve.slices(source, hits)
        else:
            slices, problems = [Slice.whole(source)], []
        rules = sorted(active, key=lambda rule: rule.id)
        found = _confirm(source, slices, rules, aliases, problems)
        return FileResult(with_identity(found), sorted(set(problems)))


def _confirm(
    source: Source,
    slices: Sequence[Slice],
    rules: Sequence[Rule],
    aliases: frozenset[str],
    problems: list[NotAnalysed],
) -> list[tuple[Finding, str]]:
    """Ask LibCST; not imported, nor is anything that imports it, where no slice has to be read."""
    if not slices:
        return []
    from esper_audit.confirm import Confirmation

    confirmation = Confirmation(source, rules, aliases, problems)
    return [found for piece in slices for found in confirmation.read(piece)]
