"""What comes of a probe: the eight verdicts, and the record that carries one with its evidence."""

from __future__ import annotations

import enum

import msgspec

from esper_audit.finding import Category, Severity

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


class Number(msgspec.Struct, frozen=True):
    """The worst reading of one detector, beside its limit; `relation` is `at most` or `at least`."""

    detector: str
    value: float
    relation: str
    limit: float
    held: bool


class Place(msgspec.Struct, frozen=True, order=True):
    """A class or function in a file: path, first and last line, dotted symbol."""

    path: str
    line: int
    end_line: int
    symbol: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
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
    numbers: tuple[Number, ...] = ()
    witness: dict[str, Plain] = {}
    table: tuple[tuple[Plain, ...], ...] = ()
    reproducer: str = ""
    versions: dict[str, str] = {}
    places: tuple[Place, ...] = ()
