"""What comes of a probe: the eight verdicts, and the record that carries one with its evidence."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity

Plain = str | int | float | bool


class Verdict(enum.StrEnum):
    """How a promise fared. Only `fail`, `unexpected-pass` and `no-verdict` are bad news."""

    PASS = "pass"  # noqa: S105 - a verdict is no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    EXPECTED_FAIL = "expected-fail"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - nor is this
    BLOCKED_BY = "blocked-by"
    NO_VERDICT = "no-verdict"


class WorstReading(msgspec.Struct, frozen=True):
    """The worst reading of one detector, beside its limit; `relation` is `at most` or `at least`."""

    detector: str
    value: float
    relation: str
    limit: float
    held: bool


class DefinitionPlace(msgspec.Struct, frozen=True, order=True):
    """A class or function in a file: path, first and last line, dotted symbol."""

    path: str
    line: int
    end_line: int
    symbol: str


class ProbeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit came to: a subject in a state under a probe.

    `code` names the detector that decided, or what kept the probe from deciding. `witness` is where
    the deciding number was read. `reproducer` is Python that runs when pasted. `places` are where the
    subject is defined: the class of what is built, then the factory; known only to sandboxed runs.
    """

    unit: str
    probe: str
    contract: str
    subject: str
    state: str
    severity: Severity
    category: Category
    verdict: Verdict
    code: str
    message: str
    numbers: tuple[WorstReading, ...] = ()
    witness: dict[str, Plain] = {}
    table: tuple[tuple[Plain, ...], ...] = ()
    reproducer: str = ""
    versions: dict[str, str] = {}
    places: tuple[DefinitionPlace, ...] = ()


Tally = Counter[Verdict]
BAD = frozenset({Verdict.FAIL, Verdict.UNEXPECTED_PASS, Verdict.NO_VERDICT})
UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.BLOCKED_BY, Verdict.EXPECTED_FAIL})


def tally(records: Iterable[ProbeRecord]) -> dict[str, Tally]:
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
    """Return whether a promise was broken, or could not be looked at."""
    return any(counts[verdict] for verdict in BAD)


def undecided(records: Iterable[ProbeRecord]) -> Sequence[ProbeRecord]:
    """Return the records that are neither good nor bad, each of which has something to say."""
    return [record for record in records if record.verdict in UNDECIDED]
