"""The record of a ticket, whose status changes by the table in `states.py`."""

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
    """The record of one finding.

    docs/tickets.md names the owner of each field.
    """

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
        """Refuse two claims with the same id."""
        ids = [claim.id for claim in self.claims]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"`claims`: duplicate id {repeated[0]}. Give each claim a unique id.")

    @property
    def is_severity_unexplained(self) -> bool:
        """Return whether the severity differs from the proposed one without a reason."""
        is_own = self.proposed_severity not in (None, self.severity)
        return is_own and not self.severity_reason.strip()

    def missing_evidence(self, status: Status) -> str:
        """Return the evidence that a ticket of a status needs and lacks, empty if it lacks none."""
        if status in ACTIVE:
            return ""
        kinds = [kind for kind, resolved in STATUS_OF.items() if resolved is status]
        resolution = self.resolution
        if resolution is None or resolution.kind not in kinds:
            return f"a resolution with evidence ({' or '.join(kinds)})"
        by_commit = resolution.kind is ResolutionKind.FIXED
        if not (resolution.evidence.strip() or (by_commit and resolution.commits)):
            return "evidence or a commit" if by_commit else "evidence"
        is_linked = any(other.relation is Relation.DUPLICATE for other in self.related)
        if status is Status.DUPLICATE and not is_linked:
            return "the duplicated ticket in `related`"
        return ""

    def with_status(self, status: Status, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket with another status and an entry of history.

        Raises TicketError for a change that the table does not allow, and for one to not-a-bug,
        wont-fix or duplicate without a resolution with evidence.
        """
        if status not in MOVES[self.status]:
            allowed = ", ".join(sorted(MOVES[self.status]))
            raise TicketError(
                f"{self.id}: cannot change from {self.status} to {status} (allowed: {allowed})"
            )
        missing = self.missing_evidence(status) if status in NEEDS_EVIDENCE else ""
        if missing:
            raise TicketError(f"{self.id}: {status} needs {missing}")
        change = Change(date=date, by=by, before=self.status, after=status, why=why)
        return msgspec.structs.replace(self, status=status, history=[*self.history, change])

    def with_resolution(self, resolution: Resolution, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket with a resolution and its status.

        Raises TicketError for a resolution without the evidence that its kind needs.
        """
        ticket = msgspec.structs.replace(self, resolution=resolution)
        status = STATUS_OF[resolution.kind]
        missing = ticket.missing_evidence(status)
        if missing:
            raise TicketError(f"{self.id}: {resolution.kind} needs {missing}")
        return ticket.with_status(status, date=date, by=by, why=why)

    def with_severity(self, severity: Severity, *, date: Date, by: str, why: str) -> Ticket:
        """Return the ticket with another severity and an entry of history."""
        change = Change(date=date, by=by, before=self.severity, after=severity, why=why)
        return msgspec.structs.replace(self, severity=severity, history=[*self.history, change])


def ticket_schema() -> dict[str, Any]:
    """Return the JSON Schema of a ticket file."""
    from esper_audit.text.json_schema import DIALECT

    schema = msgspec.json.schema(Ticket)
    return {"$schema": DIALECT, "title": "esper-audit ticket", **schema}
