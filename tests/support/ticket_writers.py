"""Processes that write tickets until they end or are killed.

Run as `python -m support.ticket_writers flip|review DIRECTORY ...`.
"""

from __future__ import annotations

import sys

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import load_contracts
from esper_audit.project.config import find_project
from esper_audit.tickets.parts import Opinion, Review
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import TicketActions
from esper_audit.workflow.sync import update_tickets
from support.sample_findings import a_finding

DAY = "2026-05-04"
TICKETS = 12
REVIEWS = 12


def an_audit(directory: str, *, found: bool) -> Audit:
    """Return an audit that finds the same things in files of the directory, or none of them."""
    findings = [
        a_finding(path=f"m{number}.py", fingerprint=f"{number:016x}") for number in range(TICKETS)
    ]
    check = findings[0].check
    return Audit(
        root=directory,
        findings=findings if found else [],
        suppressed=[],
        not_analysed=[],
        files=TICKETS,
        checks=[check],
        off=[],
        checked={finding.location.path: frozenset({check}) for finding in findings},
    )


def flip(directory: str) -> None:
    """Find everything, then nothing, and so on; say when it begins and after each round."""
    store, contracts = TicketStore(directory), load_contracts()
    print(flush=True)
    while True:
        for found in (True, False):
            with store.exclusive():
                update_tickets(store, an_audit(directory, found=found), contracts, DAY)
            print(flush=True)


def review(directory: str, ticket: str, reviewer: str) -> None:
    """Review a ticket again and again."""
    project = find_project([directory])
    store = TicketStore(project.resolve(project.config.tickets))
    actions = TicketActions(store, project.root, DAY)
    for number in range(REVIEWS):
        one = Review(reviewer=f"{reviewer} {number}", verdict=Opinion.NEUTRAL)
        actions.review(ticket, one)


if __name__ == "__main__":
    {"flip": flip, "review": review}[sys.argv[1]](*sys.argv[2:])
