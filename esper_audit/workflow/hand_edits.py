"""What people did to tickets by hand, noted in their history; and what a check proposes now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Finding, Severity
from esper_audit.tickets.parts import TOOL, Change
from esper_audit.tickets.states import MOVES, Status
from esper_audit.tickets.ticket import Ticket

BY_HAND = "by hand"
SEVERITIES = frozenset(Severity)


def noted(ticket: Ticket, today: str) -> Ticket:
    """Return the ticket with a line of history for a status or severity that somebody changed by hand.

    A ticket that somebody wrote gets its first line. Raises TicketError (`key: what is wrong`) for a
    move that the table does not allow and for a resolution that shows nothing.
    """
    return _severity_noted(_status_noted(ticket, today), today)


def reproposed(
    tickets: Mapping[str, Ticket], findings: Iterable[Finding], today: str
) -> dict[str, Ticket]:
    """Return the tickets with the severities that the checks propose now.

    One that a person chose (it is not the one proposed before) stays.
    """
    proposed = {finding.fingerprint: finding.severity for finding in findings}
    return {
        ticket_id: _proposed(ticket, proposed.get(ticket.fingerprint), today)
        for ticket_id, ticket in tickets.items()
    }


def _status_noted(ticket: Ticket, today: str) -> Ticket:
    statuses = [change.after for change in ticket.history if change.after not in SEVERITIES]
    if not statuses:
        first = Change(date=ticket.created or today, by=BY_HAND, after=ticket.status, why="written")
        return msgspec.structs.replace(ticket, history=[*ticket.history, first])
    before = Status(statuses[-1])
    if before is ticket.status:
        return ticket
    if ticket.status not in MOVES[before]:
        allowed = ", ".join(sorted(MOVES[before]))
        raise TicketError(f"status: cannot go from {before} to {ticket.status}; allowed: {allowed}")
    lacking = ticket.missing_evidence(ticket.status)
    if lacking:
        raise TicketError(f"status: {ticket.status} needs {lacking}")
    why = ticket.resolution.kind if ticket.resolution else "changed in the file"
    as_before = msgspec.structs.replace(ticket, status=before)
    return as_before.with_status(ticket.status, date=today, by=BY_HAND, why=why)


def _severity_noted(ticket: Ticket, today: str) -> Ticket:
    if ticket.proposed_severity is None:
        return msgspec.structs.replace(ticket, proposed_severity=ticket.severity)
    severities = [change.after for change in ticket.history if change.after in SEVERITIES]
    before = Severity(severities[-1]) if severities else ticket.proposed_severity
    if before is ticket.severity:
        return ticket
    as_before = msgspec.structs.replace(ticket, severity=before)
    why = ticket.severity_reason or "as proposed"
    return as_before.with_severity(ticket.severity, date=today, by=BY_HAND, why=why)


def _proposed(ticket: Ticket, proposal: Severity | None, today: str) -> Ticket:
    if proposal is None or proposal is ticket.proposed_severity:
        return ticket
    is_own = ticket.severity_reason or ticket.severity is not ticket.proposed_severity
    if not is_own:
        why = f"`{ticket.check}` proposes it now"
        ticket = ticket.with_severity(proposal, date=today, by=TOOL, why=why)
    return msgspec.structs.replace(ticket, proposed_severity=proposal)
