"""From findings to tickets and back: new ones are opened, gone ones closed, but only where a check really looked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.audit import Audit
from esper_audit.contract import Contract
from esper_audit.finding import Finding
from esper_audit.ticket import Ticket
from esper_audit.ticket_of_finding import from_finding, refreshed
from esper_audit.ticket_parts import TOOL
from esper_audit.ticket_states import ACTIVE, Status


class Sync(msgspec.Struct, frozen=True):
    """The tickets after a run, and the ids of those it opened, opened again and found fixed."""

    tickets: dict[str, Ticket]
    opened: list[str]
    reopened: list[str]
    fixed: list[str]


def sync(
    known: Mapping[str, Ticket], audit: Audit, contracts: Mapping[str, Contract], today: str
) -> Sync:
    """Match the findings of a run with the tickets there are."""
    tickets = dict(known)
    by_identity = {t.fingerprint: t for t in known.values() if t.fingerprint}
    opened: list[str] = []
    reopened: list[str] = []
    for finding in audit.findings:
        ticket = by_identity.get(finding.fingerprint)
        if ticket is None:
            ticket = _opened(finding, tickets, contracts, today)
            opened.append(ticket.id)
        elif ticket.status is Status.FIXED:
            why = "the finding is back"
            ticket = refreshed(ticket.moved(Status.OPEN, date=today, by=TOOL, why=why), finding)
            reopened.append(ticket.id)
        else:
            ticket = refreshed(ticket, finding)
        tickets[ticket.id] = ticket
    fixed = [ticket.id for ticket in _gone(known.values(), audit)]
    for ticket_id in fixed:
        why = "the check ran and found it no more"
        tickets[ticket_id] = tickets[ticket_id].moved(Status.FIXED, date=today, by=TOOL, why=why)
    return Sync(dict(sorted(tickets.items())), opened, reopened, fixed)


def _opened(
    finding: Finding, tickets: Mapping[str, Ticket], contracts: Mapping[str, Contract], today: str
) -> Ticket:
    ticket = from_finding(finding, why=contracts[finding.contract].why, date=today)
    if ticket.id in tickets:
        ticket = msgspec.structs.replace(ticket, id=f"EA-{finding.fingerprint}")
    return ticket


def _gone(tickets: Iterable[Ticket], audit: Audit) -> Iterable[Ticket]:
    """Yield the active tickets whose check ran on their file, or whose file is gone, without finding them."""
    found = {finding.fingerprint for finding in audit.findings}
    authorised = {suppressed.finding.fingerprint for suppressed in audit.suppressed}
    not_looked_at = {(problem.path, problem.check) for problem in audit.not_analysed}
    for ticket in tickets:
        if ticket.status not in ACTIVE or not ticket.fingerprint:
            continue
        path = ticket.locations[0].path
        looked = ticket.check in audit.checks_on(path) or not os.path.exists(
            os.path.join(audit.root, path)
        )
        failed = {(path, ""), (path, ticket.check)} & not_looked_at
        if looked and not failed and ticket.fingerprint not in found | authorised:
            yield ticket
