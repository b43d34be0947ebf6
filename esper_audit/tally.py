"""Counting probe records: how many of each verdict, a probe at a time, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from esper_audit.verdict import Record, Verdict

Tally = Counter[Verdict]
BAD = frozenset({Verdict.FAIL, Verdict.UNEXPECTED_PASS, Verdict.NO_VERDICT})
UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.BLOCKED_BY, Verdict.EXPECTED_FAIL})


def tally(records: Iterable[Record]) -> dict[str, Tally]:
    """Return how often each verdict was given, by probe; what does not apply is left out."""
    counted: dict[str, Tally] = {}
    for record in records:
        if record.verdict is not Verdict.NOT_APPLICABLE:
            counted.setdefault(record.probe, Counter())[record.verdict] += 1
    return dict(sorted(counted.items()))


def told(counts: Tally) -> str:
    """Return the counts in the order of the verdicts: bad ones in capitals."""
    words = []
    for verdict in Verdict:
        if counts[verdict]:
            word = verdict.replace("-", " ")
            words.append(f"{counts[verdict]} {word.upper() if verdict in BAD else word}")
    return ", ".join(words)


def is_bad(counts: Tally) -> bool:
    """Say whether a promise was broken, or could not be looked at."""
    return any(counts[verdict] for verdict in BAD)


def undecided(records: Iterable[Record]) -> Sequence[Record]:
    """Return the records that are neither good nor bad, each of which has something to say."""
    return [record for record in records if record.verdict in UNDECIDED]
