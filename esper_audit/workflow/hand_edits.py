"""Edits by hand and severities proposed by checks, added to the history of tickets."""

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


def note_hand_edit(ticket: Ticket, today: str) -> Ticket:
    """Return the ticket with a history entry for a status or severity that was changed by hand.

    A ticket without history gets its first entry. Raises TicketError (`key: what is wrong`) for a
    change of status that is not allowed and for a resolution without evidence.
    """
    return _note_severity(_note_status(ticket, today), today)


def update_severities(
    tickets: Mapping[str, Ticket], findings: Iterable[Finding], today: str
) -> dict[str, Ticket]:
    """Return the tickets with the severities that the checks propose now.

    A severity that was set by hand (it differs from the one proposed before) stays.
    """
    proposed = {finding.fingerprint: finding.severity for finding in findings}
    return {
        ticket_id: _with_proposal(ticket, proposed.get(ticket.fingerprint), today)
        for ticket_id, ticket in tickets.items()
    }


def _note_status(ticket: Ticket, today: str) -> Ticket:
    statuses = [change.after for change in ticket.history if change.after not in SEVERITIES]
    if not statuses:
        first = Change(date=ticket.created or today, by=BY_HAND, after=ticket.status, why="written")
        return msgspec.structs.replace(ticket, history=[*ticket.history, first])
    before = Status(statuses[-1])
    if before is ticket.status:
        return ticket
    if ticket.status not in MOVES[before]:
        allowed = ", ".join(sorted(MOVES[before]))
        raise TicketError(
            f"status: cannot change from {before} to {ticket.status} (allowed: {allowed})"
        )
    lacking = ticket.missing_evidence(ticket.status)
    if lacking:
        raise TicketError(f"status: {ticket.status} needs {lacking}")
    why = ticket.resolution.kind if ticket.resolution else "changed in the file"
    as_before = msgspec.structs.replace(ticket, status=before)
    return as_before.with_status(ticket.status, date=today, by=BY_HAND, why=why)


def _note_severity(ticket: Ticket, today: str) -> Ticket:
    if ticket.proposed_severity is None:
        return msgspec.structs.replace(ticket, proposed_severity=ticket.severity)
    severities = [change.after for change in ticket.history if change.after in SEVERITIES]
    before = Severity(severities[-1]) if severities else ticket.proposed_severity
    if before is ticket.severity:
        return ticket
    as_before = msgspec.structs.replace(ticket, severity=before)
    why = ticket.severity_reason or "as proposed"
    return as_before.with_severity(ticket.severity, date=today, by=BY_HAND, why=why)


def _with_proposal(ticket: Ticket, proposal: Severity | None, today: str) -> Ticket:
    if proposal is None or proposal is ticket.proposed_severity:
        return ticket
    is_set_by_hand = ticket.severity_reason or ticket.severity is not ticket.proposed_severity
    if not is_set_by_hand:
        why = f"`{ticket.check}` proposes it now"
        ticket = ticket.with_severity(proposal, date=today, by=TOOL, why=why)
    return msgspec.structs.replace(ticket, proposed_severity=proposal)
