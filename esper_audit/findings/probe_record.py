"""The result of a probe: a verdict with its evidence."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from esper_audit.findings.finding import Category, Severity

Plain = str | int | float | bool
READING = ": got "  # between the sentence of a limit and the reading that breaks it


class Verdict(enum.StrEnum):
    """The verdict of a probe.

    `fail`, `unexpected-pass` and `no-verdict` are failures.
    """

    PASS = "pass"  # noqa: S105 - a verdict is no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    EXPECTED_FAIL = "expected-fail"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - nor is this
    BLOCKED_BY = "blocked-by"
    NO_VERDICT = "no-verdict"


NotFinite = Literal["inf", "-inf", "nan"]


def finite_or_text(value: float) -> float | NotFinite:
    """Return a number, as text if it is not finite, for which JSON has no number."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def printable(cells: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return values with those that are not finite as text."""
    return {
        name: finite_or_text(cell) if isinstance(cell, float) else cell
        for name, cell in cells.items()
    }


class WorstReading(msgspec.Struct, frozen=True):
    """The worst reading of one detector with its limit.

    `relation` is `at most` or `at least`. A number that is not finite is a text.
    """

    detector: str
    value: float | NotFinite
    relation: str
    limit: float | NotFinite
    held: bool


class DefinitionPlace(msgspec.Struct, frozen=True, order=True):
    """The location of a class or function: path, first and last line, dotted symbol."""

    path: str
    line: int
    end_line: int
    symbol: str


class DetectorFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A detector of a probe whose limit is broken.

    `expects` is the error that ends the reproducer if it fails by an assertion of its own; empty for a
    reproducer that prints. Failures of one `cause` are one finding.
    """

    code: str
    message: str
    witness: dict[str, Plain] = {}
    reproducer: str = ""
    expects: str = ""
    cause: str = ""


class ProbeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one unit: a probe on a subject in a state.

    - `code`: the detector that decided, or the reason why the probe could not decide.
    - `numbers`: the worst reading of each detector.
    - `witness`: the inputs of the reading that decided.
    - `table`: further readings, with a header as first row.
    - `reproducer`: Python that reproduces the result.
    - `failures`: each detector that failed, the one that decided first.
    - `places`: the definitions of the subject's class and factory; empty outside the sandbox.
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
    failures: tuple[DetectorFailure, ...] = ()


def failing_by(record: ProbeRecord, failures: Sequence[DetectorFailure]) -> ProbeRecord:
    """Return a record that fails by some of its detectors only."""
    first = failures[0]
    return msgspec.structs.replace(
        record,
        code=first.code,
        message=first.message,
        witness=first.witness,
        reproducer=first.reproducer,
        failures=tuple(failures),
    )


Tally = Counter[Verdict]
FAILURE_VERDICTS = frozenset({Verdict.FAIL, Verdict.UNEXPECTED_PASS, Verdict.NO_VERDICT})
UNDECIDED_VERDICTS = frozenset({Verdict.INCONCLUSIVE, Verdict.BLOCKED_BY, Verdict.EXPECTED_FAIL})


def tally(records: Iterable[ProbeRecord]) -> dict[str, Tally]:
    """Return the number of each verdict by probe, without `not-applicable`."""
    counted: dict[str, Tally] = {}
    for record in records:
        if record.verdict is not Verdict.NOT_APPLICABLE:
            counted.setdefault(record.probe, Counter())[record.verdict] += 1
    return dict(sorted(counted.items()))


def tally_text(counts: Tally) -> str:
    """Return the counts as text in the order of the verdicts, failures in capitals."""
    words = []
    for verdict in Verdict:
        if counts[verdict]:
            word = verdict.replace("-", " ")
            words.append(
                f"{counts[verdict]} {word.upper() if verdict in FAILURE_VERDICTS else word}"
            )
    return ", ".join(words)


def has_failures(counts: Tally) -> bool:
    """Return whether a verdict is a failure."""
    return any(counts[verdict] for verdict in FAILURE_VERDICTS)


def undecided_records(records: Iterable[ProbeRecord]) -> Sequence[ProbeRecord]:
    """Return the records whose verdict is neither a pass nor a failure, such as `inconclusive`."""
    return [record for record in records if record.verdict in UNDECIDED_VERDICTS]
