"""The findings of an audit, their suppressions, and the problems that prevented a check."""

from __future__ import annotations

import enum
from typing import NamedTuple

import msgspec


class Severity(enum.StrEnum):
    """The severity of a finding, from P0 (critical) to P4 (trivial)."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Confidence(enum.StrEnum):
    """The precision of a check, at least nine correct findings of ten for `high`."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(enum.StrEnum):
    """The twelve categories of a ticket form."""

    CORRECTNESS = "correctness"
    RACE_CONDITION = "race-condition"
    MEMORY_RESOURCE = "memory-resource"
    PERFORMANCE = "performance"
    NUMERICAL_STABILITY = "numerical-stability"
    TORCH_COMPILE = "torch-compile"
    DEAD_CODE = "dead-code"
    API_CONTRACT = "api-contract"
    TEST_COVERAGE = "test-coverage"
    DOCUMENTATION = "documentation"
    DEFENSIVE_PROGRAMMING = "defensive-programming"
    LEGACY_POLICY = "legacy-policy"


class Location(msgspec.Struct, frozen=True, order=True):
    """A range of source.

    Lines and columns count from 1, and the end column is exclusive.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    symbol: str


class Span(NamedTuple):
    """A range of characters.

    Lines count from 1 and columns from 0, and the end column is exclusive.
    """

    line: int
    column: int
    end_line: int
    end_column: int


def first_of_lines(lines: str) -> int:
    """Return the first line of a text such as `12`, `12-15` or `12, 20`, 0 for an empty one."""
    return int(lines.partition(",")[0].partition("-")[0] or 0)


class Edit(msgspec.Struct, frozen=True):
    """A replacement of a range of source by `text`.

    A `safe` edit keeps the behaviour of correct programs. Any other edit needs the user's consent.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    safe: bool
    description: str


class EvidenceLevel(enum.StrEnum):
    """The evidence for a finding.

    `suspected`: a rule, without a probe. `confirmed`, `refuted`: a rule, and a probe of the same
    contract at that place that failed, or passed. `measured`: a probe, without a rule.
    """

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    MEASURED = "measured"


class ProbeEvidence(msgspec.Struct, frozen=True):
    """The evidence of a probe.

    `table` has a header as first row, and `reproducer` is Python.
    """

    unit: str
    verdict: str
    code: str
    message: str
    table: tuple[tuple[str | int | float | bool, ...], ...] = ()
    reproducer: str = ""


class Occurrence(enum.StrEnum):
    """Whether the defect occurs today, judged by the calls and uses of the code."""

    MANIFEST = "manifest"
    POSSIBLE = "possible"
    LATENT = "latent"
    TEST_ONLY = "test-only"
    UNREFERENCED = "unreferenced"


class Impact(msgspec.Struct, frozen=True):
    """The uses of a finding's subject in the whole tree.

    `words` describe them.

    - `calls`: the production calls; `by_name` of them are matched by the bare name only.
    - `passing`, `omitting`, `forwarding`: the production calls by their use of the argument.
    - `hits`: the places of production code that reach the defect.
    - `packages`: the number of uses by package.
    - `lowered_from`: the severity before that of a latent finding was lowered by one step.
    """

    reality: Occurrence
    words: str
    calls: int = 0
    passing: int = 0
    omitting: int = 0
    forwarding: int = 0
    by_name: int = 0
    test_calls: int = 0
    hits: list[str] = []
    packages: dict[str, int] = {}
    tests: list[str] = []
    tests_through: int = 0
    exported: list[str] = []
    lowered_from: Severity | None = None


class Finding(msgspec.Struct, frozen=True):
    """A violation of a contract at one location.

    `subject` is the dotted name, within the file, of the subject if that is not the location's symbol,
    and `argument` its parameter. The impact is computed from them.
    """

    location: Location
    check: str
    contract: str
    message: str
    severity: Severity
    category: Category
    confidence: Confidence
    fingerprint: str
    excerpt: str
    excerpt_line: int
    edit: Edit | None = None
    standing: EvidenceLevel = EvidenceLevel.SUSPECTED
    probed: tuple[ProbeEvidence, ...] = ()
    subject: str = ""
    argument: str = ""
    impact: Impact | None = None

    @property
    def order(self) -> tuple[Location, str, str]:
        """The key that sorts findings."""
        return (self.location, self.check, self.message)


class Suppression(msgspec.Struct, frozen=True):
    """The authorisation of a finding: its origin, reason and owner, and its last day (ISO date or empty).

    `entries` are the positions of all configured exceptions that cover the finding.
    """

    origin: str
    reason: str
    owner: str = ""
    until: str = ""
    entries: tuple[int, ...] = ()


class Suppressed(msgspec.Struct, frozen=True):
    """A finding with the suppression that authorises it."""

    finding: Finding
    suppression: Suppression


class NotAnalysed(msgspec.Struct, frozen=True, order=True):
    """Something that was not analysed: a file, or one check on a file, with `check` as its id."""

    path: str
    reason: str
    check: str = ""
    line: int = 0

    def sentence(self) -> str:
        """Return the problem as one line of text."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.check}: {self.reason}" if self.check else f"{place}: {self.reason}"


class TreeViolation(msgspec.Struct, frozen=True):
    """A violation that a tree rule reports, made by `Tree.at_symbol` and similar methods.

    `code` identifies the violation after an edit. The impact is computed from `subject` and `argument`.
    """

    path: str
    span: Span
    message: str
    code: str
    subject: str = ""
    argument: str = ""
