"""The ticket: a record with an owner for every field, and one table of the moves its status may make."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

from esper_audit.errors import TicketError
from esper_audit.finding import Category, Finding, Severity
from esper_audit.likeness import Likeness

Text = Annotated[str, msgspec.Meta(min_length=1)]
Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
ID_DIGITS = 8


class Status(enum.StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    IN_REVIEW = "in-review"
    FIXED = "fixed"
    NOT_A_BUG = "not-a-bug"
    WONT_FIX = "wont-fix"
    DUPLICATE = "duplicate"


ACTIVE = frozenset({Status.OPEN, Status.INVESTIGATING, Status.IN_REVIEW})
ACCEPTED = frozenset({Status.NOT_A_BUG, Status.WONT_FIX, Status.DUPLICATE})
RESOLVED = frozenset({Status.FIXED, *ACCEPTED})
NEEDS_RESOLUTION = frozenset({Status.NOT_A_BUG, Status.WONT_FIX})
MOVES: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.INVESTIGATING, Status.IN_REVIEW}) | RESOLVED,
    Status.INVESTIGATING: frozenset({Status.OPEN, Status.IN_REVIEW}) | RESOLVED,
    Status.IN_REVIEW: frozenset({Status.OPEN, Status.INVESTIGATING}) | RESOLVED,
    Status.FIXED: frozenset({Status.OPEN}),
    Status.NOT_A_BUG: frozenset({Status.OPEN}),
    Status.WONT_FIX: frozenset({Status.OPEN}),
    Status.DUPLICATE: frozenset({Status.OPEN}),
}


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a ticket: its keys are known and typed."""


class TicketLocation(Record, frozen=True, kw_only=True):
    """Where: the symbol is the identity, the lines are refreshed by every run."""

    path: Text
    symbol: str = ""
    lines: Annotated[str, msgspec.Meta(pattern=r"^\d+(-\d+)?$")]


class Evidence(Record, frozen=True, kw_only=True):
    """What the check saw: the code, with the number of its first line."""

    code: str
    first_line: int


class FixOption(Record, frozen=True, kw_only=True):
    """A way to repair: prose, and the change itself where a fixer can make it."""

    option: Text
    text: Text
    diff: str = ""


class Related(Record, frozen=True, kw_only=True):
    """Another ticket and what it is to this one."""

    id: Text
    relation: Annotated[str, msgspec.Meta(pattern="^(related|duplicate|blocks|blocked-by)$")]
    note: str = ""


class Review(Record, frozen=True, kw_only=True):
    """What somebody else thinks of the ticket."""

    reviewer: Text
    verdict: Annotated[str, msgspec.Meta(pattern="^(endorse|neutral|object|refine)$")]
    evaluation: str = ""
    date: Date | None = None


class Resolution(Record, frozen=True, kw_only=True):
    """How a ticket ended, and what shows it."""

    kind: Annotated[
        str, msgspec.Meta(pattern="^(fixed|already-fixed|documented|not-a-bug|wont-fix|duplicate)$")
    ]
    evidence: Text
    commits: list[str] = []
    sign_off: str = ""


class Change(Record, frozen=True, kw_only=True):
    """A change of status: when, by whom or what, from, to, why."""

    date: Date
    by: Text
    before: Status | None = None
    after: Status
    why: Text


class Ticket(Record, frozen=True, kw_only=True):
    """One finding's record; see the fields' owners in the documentation of tickets."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
    title: Text
    status: Status
    severity: Severity
    severity_reason: str = ""
    created: Date
    domain: str = ""
    batch: str = ""
    agent: str = ""
    assignee: str = ""
    categories: list[Category]
    contract: str = ""
    check: str = ""
    fingerprint: str = ""
    locations: list[TicketLocation]
    summary: Text
    description: str = ""
    why_it_matters: str = ""
    evidence: list[Evidence] = []
    fix: list[FixOption] = []
    verification: list[str] = []
    related: list[Related] = []
    reviews: list[Review] = []
    resolution: Resolution | None = None
    source: str = ""
    history: list[Change] = []
    likeness: Likeness | None = None

    def moved(self, after: Status, *, date: str, by: str, why: str) -> Ticket:
        """Return the ticket with another status and a line of history.

        Raises TicketError for a move that the table does not allow, and for one to not-a-bug or
        wont-fix without a resolution that has evidence.
        """
        if after not in MOVES[self.status]:
            allowed = ", ".join(sorted(MOVES[self.status]))
            raise TicketError(
                f"{self.id}: cannot go from {self.status} to {after}; allowed: {allowed}"
            )
        if after in NEEDS_RESOLUTION and self.resolution is None:
            raise TicketError(f"{self.id}: {after} needs a resolution with evidence")
        change = Change(date=date, by=by, before=self.status, after=after, why=why)
        return msgspec.structs.replace(self, status=after, history=[*self.history, change])

    def refreshed(self, finding: Finding) -> Ticket:
        """Return the ticket with the place and evidence of its finding as they are now."""
        return msgspec.structs.replace(
            self,
            locations=_locations(finding),
            evidence=_evidence(finding),
            fix=_fixes(self, finding),
        )


def from_finding(finding: Finding, *, why: str, date: str) -> Ticket:
    """Return a new, open ticket for a finding; its id follows from the finding's identity alone."""
    ticket = Ticket(
        id=f"EA-{finding.fingerprint[:ID_DIGITS]}",
        title=finding.message,
        status=Status.OPEN,
        severity=finding.severity,
        created=date,
        categories=[finding.category],
        contract=finding.contract,
        check=finding.check,
        fingerprint=finding.fingerprint,
        locations=_locations(finding),
        summary=f"{finding.message} ({finding.location.symbol or finding.location.path})",
        why_it_matters=why,
        evidence=_evidence(finding),
        source="esper-audit run",
    )
    opened = Change(date=date, by="esper-audit", after=Status.OPEN, why="found by the audit")
    return msgspec.structs.replace(ticket, fix=_fixes(ticket, finding), history=[opened])


def _locations(finding: Finding) -> list[TicketLocation]:
    at = finding.location
    lines = str(at.line) if at.line == at.end_line else f"{at.line}-{at.end_line}"
    return [TicketLocation(path=at.path, symbol=at.symbol, lines=lines)]


def _evidence(finding: Finding) -> list[Evidence]:
    code = "\n".join(line.rstrip() for line in finding.excerpt.split("\n"))
    return [Evidence(code=code, first_line=finding.excerpt_line)]


def _fixes(ticket: Ticket, finding: Finding) -> list[FixOption]:
    """Return what the fixer offers now, in front of the options that people wrote."""
    by_hand = [option for option in ticket.fix if not option.diff]
    if finding.edit is None:
        return by_hand
    edit = finding.edit
    offered = FixOption(
        option=edit.description, text="Offered by the rule's own fixer.", diff=edit.text
    )
    return [offered, *by_hand]
