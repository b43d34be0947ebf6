"""What an audit finds, what it was told to keep quiet about, and what it could not look at."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    pass


class Severity(enum.StrEnum):
    """How much a finding matters: P0 stops everything, P4 is for a quiet afternoon."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Confidence(enum.StrEnum):
    """How often a check of this kind is right: high is nine times in ten or better."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(enum.StrEnum):
    """The twelve kinds of finding of a ticket form."""

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
    """A stretch of source; lines and columns count from 1, the end column is one past the last."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    symbol: str


class Span(NamedTuple):
    """Lines from 1, columns from 0, in characters of the file; the end is one past the last."""

    line: int
    column: int
    end_line: int
    end_column: int


class Edit(msgspec.Struct, frozen=True):
    """A replacement of the stretch of source from start to end by `text`.

    `safe` edits keep the behaviour of correct programs; the others need a person's consent.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    safe: bool
    description: str


class EvidenceLevel(enum.StrEnum):
    """What the evidence for a finding is worth.

    `suspected`: a rule says so, and no probe was asked. `confirmed`, `refuted`: a rule says so, and a
    probe of the same contract at that place agrees, or does not. `measured`: a probe says so alone.
    """

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    MEASURED = "measured"


class ProbeEvidence(msgspec.Struct, frozen=True):
    """What a probe read: verdict and detector in words, a table with a row of headings, Python that shows it again."""

    unit: str
    verdict: str
    code: str
    message: str
    table: tuple[tuple[str | int | float | bool, ...], ...] = ()
    reproducer: str = ""


class Occurrence(enum.StrEnum):
    """Whether what is wrong happens today: by what calls or uses the code in question."""

    MANIFEST = "manifest"
    POSSIBLE = "possible"
    LATENT = "latent"
    TEST_ONLY = "test-only"
    UNREFERENCED = "unreferenced"


class Impact(msgspec.Struct, frozen=True):
    """What the whole tree says of a finding: who hits it, where, who tests it; `words` says it to people.

    `hits` are places of production code that run into it, `passing`, `omitting` and `forwarding` count
    production calls by what they do with the argument in question, `calls` all of them and `by_name`
    those that only a bare name speaks for. `packages` counts uses by package, `lowered_from` is the
    severity before a latent finding was taken down a step.
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
    """One place where a contract is broken, with what a reader needs to judge it.

    `subject` is the dotted name, within the file, of what the finding is about where that is not the
    location's symbol; `argument` the parameter of it; from them the index tells the impact.
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
        """The key by which findings are sorted everywhere."""
        return (self.location, self.check, self.message)


class Suppression(msgspec.Struct, frozen=True):
    """Why a finding is kept quiet: who said so, for what reason, until when (ISO date or empty)."""

    origin: str
    reason: str
    owner: str = ""
    until: str = ""


class Suppressed(msgspec.Struct, frozen=True):
    """A finding that somebody authorised."""

    finding: Finding
    suppression: Suppression


class NotAnalysed(msgspec.Struct, frozen=True, order=True):
    """Something that was not looked at: a whole file, or one check on a file (`check` is its id)."""

    path: str
    reason: str
    check: str = ""
    line: int = 0

    def sentence(self) -> str:
        """One line for a person."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.check}: {self.reason}" if self.check else f"{place}: {self.reason}"


class TreeViolation(msgspec.Struct, frozen=True):
    """A place at which a tree rule objects; `Tree.at_symbol` and its kin make them.

    `code` is what the place is known by after an edit, `subject` and `argument` are what the impact
    is asked of.
    """

    path: str
    span: Span
    message: str
    code: str
    subject: str = ""
    argument: str = ""
