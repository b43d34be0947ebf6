"""The ticket: a record with an owner for every field; its status moves by the table of `ticket_states.py`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from esper_audit.claims.records import AnyClaim
from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Category, Severity
from esper_audit.tickets.parts import (
    AsWritten,
    Change,
    Date,
    DateOrNothing,
    Evidence,
    Extra,
    FixOption,
    Related,
    Relation,
    Resolution,
    Review,
    Step,
    StoredAnswer,
    Text,
    TicketImpact,
    TicketLocation,
)
from esper_audit.tickets.states import (
    ACTIVE,
    MOVES,
    NEEDS_EVIDENCE,
    STATUS_OF,
    ResolutionKind,
    Status,
)
from esper_audit.tracking.context_hash import ContextHash


class Ticket(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """One finding's record; docs/tickets.md says whose each field is."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    title: Text
    status: Status
    severity: Severity
    proposed_severity: Severity | None = None
    severity_reason: str = ""
    created: DateOrNothing
    updated: DateOrNothing = ""
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
    impact: TicketImpact | None = None
    claims: list[AnyClaim] = []
    answers: list[StoredAnswer] = []
    fix: list[FixOption] = []
    verification: list[Step] = []
    related: list[Related] = []
    reviews: list[Review] = []
    resolution: Resolution | None = None
    source: str = ""
    report: str = ""
    section: str = ""
    history: list[Change] = []
    likeness: ContextHash | None = None
    as_written: list[AsWritten] = []
    extra: list[Extra] = []

    def __post_init__(self) -> None:
        """Refuse two claims of one name."""
        names = [claim.id for claim in self.claims]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"`claims`: {twice[0]} stands twice; give each claim an id of its own")

    @property
    def severity_unexplained(self) -> bool:
        """Whether the severity is not the proposed one and nobody says why."""
        is_own = self.proposed_severity not in (None, self.severity)
        return is_own and not self.severity_reason.strip()

    def lacking(self, after: Status) -> str:
        """Return what a person has still to show for a ticket to be in a state, empty for nothing."""
        if after in ACTIVE:
            return ""
        kinds = [kind for kind, status in STATUS_OF.items() if status is after]
        end = self.resolution
        if end is None or end.kind not in kinds:
            return f"a resolution with evidence ({' or '.join(kinds)})"
        by_commit = end.kind is ResolutionKind.FIXED
        if not (end.evidence.strip() or (by_commit and end.commits)):
            return "evidence or a commit" if by_commit else "evidence"
        is_linked = any(other.relation is Relation.DUPLICATE for other in self.related)
        if after is Status.DUPLICATE and not is_linked:
            return "the ticket of which it is a duplicate, in `related`"
        return ""

    def moved(self, after: Status, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket with another status and a line of history.

        Raises TicketError for a move that the table does not allow, and for one to not-a-bug,
        wont-fix or duplicate without a resolution that shows it.
        """
        if after not in MOVES[self.status]:
            allowed = ", ".join(sorted(MOVES[self.status]))
            raise TicketError(
                f"{self.id}: cannot go from {self.status} to {after}; allowed: {allowed}"
            )
        lacking = self.lacking(after) if after in NEEDS_EVIDENCE else ""
        if lacking:
            raise TicketError(f"{self.id}: {after} needs {lacking}")
        change = Change(date=date, by=by, before=self.status, after=after, why=why)
        return msgspec.structs.replace(self, status=after, history=[*self.history, change])

    def resolved(self, end: Resolution, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket as a person resolved it; raises TicketError where that is not shown."""
        ticket = msgspec.structs.replace(self, resolution=end)
        after = STATUS_OF[end.kind]
        lacking = ticket.lacking(after)
        if lacking:
            raise TicketError(f"{self.id}: {end.kind} needs {lacking}")
        return ticket.moved(after, date=date, by=by, why=why)

    def rated(self, after: Severity, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket with another severity and a line of history."""
        change = Change(date=date, by=by, before=self.severity, after=after, why=why)
        return msgspec.structs.replace(self, severity=after, history=[*self.history, change])


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def ticket_schema() -> dict[str, Any]:
    """Return the schema that every ticket file keeps."""
    schema = msgspec.json.schema(Ticket)
    return {"$schema": DIALECT, "title": "esper-audit ticket", **schema}
