"""The parts of a ticket: their keys, with types.

Texts are Markdown and are kept unchanged. `as_written` keeps the words of an imported form where the
value of a typed field lacks some of their meaning.
"""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated

import msgspec

from esper_audit.claims.reply import Answer
from esper_audit.findings.finding import Occurrence, Severity
from esper_audit.tickets.states import ACCEPTED, STATUS_OF, ResolutionKind

# The author of changes that the program makes.
TOOL = "esper-audit"
Text = Annotated[str, msgspec.Meta(min_length=1)]
Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
DateOrNothing = Annotated[str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Lines = Annotated[str, msgspec.Meta(pattern=r"^(\d+(-\d+)?(, \d+(-\d+)?)*)?$")]
Commit = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4,40}$")]
StatusOrSeverity = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(open|investigating|in-review|fixed|not-a-bug|wont-fix|duplicate|P[0-4])$"
    ),
]


class Relation(enum.StrEnum):
    """How another ticket is related to this one."""

    RELATED = "related"
    DUPLICATE = "duplicate"
    BLOCKS = "blocks"
    BLOCKED_BY = "blocked-by"


class Opinion(enum.StrEnum):
    """The verdict of a review."""

    ENDORSE = "endorse"
    NEUTRAL = "neutral"
    OBJECT = "object"
    REFINE = "refine"


class Truth(enum.StrEnum):
    """How a sentence of the ticket was judged."""

    TRUE = "TRUE"
    FALSE = "FALSE"
    PARTIAL = "PARTIAL"
    STALE = "STALE"


class TicketPart(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """A part of a ticket: unknown keys are refused, defaults are not written."""


class TicketLocation(TicketPart, frozen=True, kw_only=True):
    """A place of the defect: the symbol identifies it, the lines are refreshed by every run.

    `lines` is `12`, `12-15` or several of these: `12-15, 20`.
    """

    path: Text
    symbol: str = ""
    lines: Lines = ""
    note: str = ""


class EvidenceTable(TicketPart, frozen=True, kw_only=True):
    """Values in columns, as a probe returns them."""

    columns: list[str]
    rows: list[list[str | int | float]]

    def __post_init__(self) -> None:
        """Refuse a row that is longer or shorter than the header."""
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells, expected {len(self.columns)}")


class Evidence(TicketPart, frozen=True, kw_only=True):
    """Evidence of the defect: text, code with the number of its first line, or a table.

    `commit` is the commit at which it was taken. `place` is where the code is located, in the words of
    an imported form (`blending.py:133-192`).
    """

    text: str = ""
    place: str = ""
    code: str = ""
    language: str = "python"
    first_line: int | None = None
    table: EvidenceTable | None = None
    commit: str = ""

    def __post_init__(self) -> None:
        """Refuse evidence without content."""
        if not (self.text or self.code or self.place or self.table):
            raise ValueError("evidence needs a `text`, a `code` or a `table`")


class TicketImpact(TicketPart, frozen=True, kw_only=True):
    """The impact of the defect in the whole tree: whether code meets it today, and where.

    `counts` contains the numbers above zero of production calls, of those that pass, omit and forward
    the argument, of uses known by name only, of calls in tests, and of tests that reach the symbol
    through other code.
    """

    reality: Occurrence
    words: Text
    counts: dict[str, int] | None = None
    hits: list[str] = []
    packages: dict[str, int] | None = None
    tests: list[str] = []
    exported: list[str] = []
    lowered_from: Severity | None = None


class FixOption(TicketPart, frozen=True, kw_only=True):
    """A way to fix the defect: prose, and the diff where a fixer can make the change.

    `label` is the name of the option in an imported form (`Option A`); without one the page assigns a
    letter. An option with neither label nor name is the prose in front of the others.
    """

    label: str = ""
    option: str = ""
    text: str = ""
    diff: str = ""

    def __post_init__(self) -> None:
        """Refuse an option without content."""
        if not (self.label or self.option or self.text or self.diff):
            raise ValueError("a fix needs an `option`, a `text` or a `diff`")


class Step(TicketPart, frozen=True, kw_only=True):
    """A step to verify a fix, and the pytest node or claim that decides it."""

    text: Text
    done: bool = False
    test: str = ""
    claim: str = ""


class Related(TicketPart, frozen=True, kw_only=True):
    """A link to another ticket."""

    id: Text
    relation: Relation
    note: str = ""


class Review(TicketPart, frozen=True, kw_only=True):
    """A review of the ticket.

    `role` is the reviewer's role in the heading of an imported form.
    """

    reviewer: str
    role: str = ""
    verdict: Opinion
    as_written: str = ""
    date: DateOrNothing = ""
    evaluation: str = ""


class JudgedClaim(TicketPart, frozen=True, kw_only=True):
    """A sentence of the ticket, and how it was judged."""

    claim: Text
    verdict: Truth
    as_written: str = ""
    evidence: str = ""


class Resolution(TicketPart, frozen=True, kw_only=True):
    """How a ticket was resolved, with evidence, which only an imported resolution may lack.

    `until` is the last day on which a finding is accepted, empty for good.
    """

    kind: ResolutionKind
    as_written: str = ""
    until: DateOrNothing = ""
    evidence: str
    claims: list[JudgedClaim] = []
    commits: list[Commit] = []
    sign_off: str = ""

    def __post_init__(self) -> None:
        """Refuse an end that is no day, and one of a resolution that accepts nothing."""
        if not self.until:
            return
        if STATUS_OF[self.kind] not in ACCEPTED:
            raise ValueError(f"`until` ends an acceptance (got kind {self.kind}). Leave it out.")
        try:
            date.fromisoformat(self.until)
        except ValueError as error:
            raise ValueError(f"`until`: no such day (got {self.until})") from error


class StoredAnswer(TicketPart, frozen=True, kw_only=True):
    """The last answer of a claim, with its evidence.

    `seen_gone`: the claim states the defect, and some answer was that the defect is gone.
    """

    claim: Text
    answer: Answer
    evidence: Text
    places: list[str] = []
    table: EvidenceTable | None = None
    seen_gone: bool = False


class Change(TicketPart, frozen=True, kw_only=True):
    """A change of status or severity: its date, author, old and new value, and reason."""

    date: Date
    by: Text
    before: StatusOrSeverity | None = None
    after: StatusOrSeverity
    why: Text


class AsWritten(TicketPart, frozen=True, kw_only=True):
    """The words of an imported form for a field, and their place in the form or in its path."""

    field: Text
    where: str = ""
    words: str


class Extra(TicketPart, frozen=True, kw_only=True):
    """Content of an imported form that fits no field: a row of a section's table, or text.

    `section` is the heading of the first level, empty in front of the first heading; `heading` is the
    one of the second level, empty for text directly below the section; `row` names a row of a table.
    """

    section: str
    heading: str = ""
    row: str = ""
    text: str = ""
