"""The parts of a ticket: every key known and typed, every word of an imported form with a place to stay.

Texts are Markdown as it was written. `as_written` keeps the words of a form where a typed field says
less than they do.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

from esper_audit.claims.reply import Answer
from esper_audit.findings.finding import Occurrence, Severity
from esper_audit.tickets.states import ResolutionKind

# Who changed a ticket, where no person did.
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
    """What another ticket is to this one."""

    RELATED = "related"
    DUPLICATE = "duplicate"
    BLOCKS = "blocks"
    BLOCKED_BY = "blocked-by"


class Opinion(enum.StrEnum):
    """What a reviewer says."""

    ENDORSE = "endorse"
    NEUTRAL = "neutral"
    OBJECT = "object"
    REFINE = "refine"


class Truth(enum.StrEnum):
    """What became of a sentence of the ticket when somebody looked."""

    TRUE = "TRUE"
    FALSE = "FALSE"
    PARTIAL = "PARTIAL"
    STALE = "STALE"


class TicketPart(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """A part of a ticket: its keys are known and typed, and what has its default is not written."""


class TicketLocation(TicketPart, frozen=True, kw_only=True):
    """Where: the symbol is the identity, the lines are refreshed by every run; lines may be several."""

    path: Text
    symbol: str = ""
    lines: Lines = ""
    note: str = ""


class EvidenceTable(TicketPart, frozen=True, kw_only=True):
    """Numbers in columns, as a probe gives them."""

    columns: list[str]
    rows: list[list[str | int | float]]

    def __post_init__(self) -> None:
        """Refuse a row that is longer or shorter than the header."""
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} has {len(row)} cells, the table {len(self.columns)} columns"
                )


class Evidence(TicketPart, frozen=True, kw_only=True):
    """What was seen: words, code with the number of its first line, or numbers; `commit` is when.

    `place` is where the code stands, in the words of an imported form (`blending.py:133-192`).
    """

    text: str = ""
    place: str = ""
    code: str = ""
    language: str = "python"
    first_line: int | None = None
    table: EvidenceTable | None = None
    commit: str = ""

    def __post_init__(self) -> None:
        """Refuse evidence that shows nothing."""
        if not (self.text or self.code or self.place or self.table):
            raise ValueError("evidence needs a `text`, a `code` or a `table`")


class TicketImpact(TicketPart, frozen=True, kw_only=True):
    """What the whole tree says: whether somebody hits it today, in words with counts, and where.

    `counts` holds what there is of production calls, those passing, omitting and forwarding the
    argument, uses known by name only, calls in tests, and tests that reach it through other code.
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
    """A way to repair: prose, and the change itself where a fixer can make it.

    `label` is what a form calls the option (`Option A`); without one the page counts letters. An
    option with neither label nor name is the prose in front of the others.
    """

    label: str = ""
    option: str = ""
    text: str = ""
    diff: str = ""

    def __post_init__(self) -> None:
        """Refuse an option without content."""
        if not (self.label or self.option or self.text or self.diff):
            raise ValueError("a way to repair needs an `option`, a `text` or a `diff`")


class Step(TicketPart, frozen=True, kw_only=True):
    """A box to tick when the repair is verified, and the pytest node or claim that ticks it."""

    text: Text
    done: bool = False
    test: str = ""
    claim: str = ""


class Related(TicketPart, frozen=True, kw_only=True):
    """Another ticket and what it is to this one."""

    id: Text
    relation: Relation
    note: str = ""


class Review(TicketPart, frozen=True, kw_only=True):
    """What somebody else thinks of the ticket; `role` is the heading's name for who that is."""

    reviewer: str
    role: str = ""
    verdict: Opinion
    as_written: str = ""
    date: DateOrNothing = ""
    evaluation: str = ""


class JudgedClaim(TicketPart, frozen=True, kw_only=True):
    """A sentence of the ticket, and whether it turned out to be so."""

    claim: Text
    verdict: Truth
    as_written: str = ""
    evidence: str = ""


class Resolution(TicketPart, frozen=True, kw_only=True):
    """How a ticket ended, and what shows it. Only an imported one may lack evidence."""

    kind: ResolutionKind
    as_written: str = ""
    evidence: str
    claims: list[JudgedClaim] = []
    commits: list[Commit] = []
    sign_off: str = ""


class StoredAnswer(TicketPart, frozen=True, kw_only=True):
    """What a claim answered when it was last told, with its evidence; `seen_gone` of a defect, ever."""

    claim: Text
    answer: Answer
    evidence: Text
    places: list[str] = []
    table: EvidenceTable | None = None
    seen_gone: bool = False


class Change(TicketPart, frozen=True, kw_only=True):
    """A change of status or severity (their values differ): when, by whom or what, from, to, why."""

    date: Date
    by: Text
    before: StatusOrSeverity | None = None
    after: StatusOrSeverity
    why: Text


class AsWritten(TicketPart, frozen=True, kw_only=True):
    """The words of an imported form for a field, and where in the form (or in its path) they stood."""

    field: Text
    where: str = ""
    words: str


class Extra(TicketPart, frozen=True, kw_only=True):
    """What an imported form says that no field takes: a row of a section's table, or text.

    `section` is the heading of the first rank (empty in front of the first), `heading` the one below
    (empty for text that stands directly under the section), `row` the name of a table's row.
    """

    section: str
    heading: str = ""
    row: str = ""
    text: str = ""
