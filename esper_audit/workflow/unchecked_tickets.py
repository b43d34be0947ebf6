"""Active tickets that no run updates, because their file or check is left out of the audit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from esper_audit.findings.audit import Audit
from esper_audit.tickets.states import ACTIVE
from esper_audit.tickets.ticket import Ticket


def unchecked_tickets(audit: Audit, tickets: Iterable[Ticket]) -> Iterator[str]:
    """Yield a sentence for each active ticket of a finding whose check did not run on its file.

    What the run reports as not looked at is left out.
    """
    failed = {(problem.path, problem.check) for problem in audit.not_analysed}
    for ticket in tickets:
        if ticket.status not in ACTIVE or not (ticket.fingerprint and ticket.locations):
            continue
        path, check = ticket.locations[0].path, ticket.check
        is_reported = not failed.isdisjoint({(path, ""), (path, check), ("", check), ("", "")})
        is_there = os.path.exists(os.path.join(audit.root, path))
        if is_reported or not is_there or check in audit.checks_on(path):
            continue
        off = f"the configuration turns {check} off for {path}"
        left_out = f"the configuration leaves {path} out (`exclude`, `paths`, .gitignore)"
        yield f"{ticket.id} stays {ticket.status}: {off if audit.checks_on(path) else left_out}"
