"""Matching findings with the baseline by their context, where no fingerprint is equal."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import yaml

from esper_audit.findings.audit import Audit
from esper_audit.tracking.context_hash import ContextHash
from esper_audit.tracking.current_tree import CurrentTree
from esper_audit.tracking.matcher import match_findings
from esper_audit.tracking.observation import observation_of_ticket, observations


class TicketedLocation(msgspec.Struct, frozen=True):
    """The location of a ticket's finding.

    Other keys are ignored.
    """

    path: str
    lines: str
    symbol: str = ""


class TicketedFinding(msgspec.Struct, frozen=True):
    """The keys of a ticket that describe its finding.

    Other keys are ignored.
    """

    id: str
    status: str
    check: str
    fingerprint: str
    locations: list[TicketedLocation]
    likeness: ContextHash | None = None


def match_baseline(
    files: Iterable[str], audit: Audit, checks: Collection[str], current_tree: CurrentTree
) -> dict[str, str]:
    """Return the ticket id of each finding of `checks` that matches a ticket, by fingerprint."""
    old = [observation_of_ticket(ticket) for ticket in map(_read, files) if ticket is not None]
    found = [*audit.findings, *(suppressed.finding for suppressed in audit.suppressed)]
    of_checks = [finding for finding in found if finding.check in checks]
    new = observations(of_checks, current_tree.source)
    looked_at = {s.key for s in old if audit.is_checked(s.check, s.path)}
    matches = match_findings(old, new, current_tree, may_move=looked_at)
    return {match.new.key: match.old.key for match in matches}


def _read(file: str) -> TicketedFinding | None:
    """Read a ticket, None for an invalid one: `esper-audit run` reports those."""
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            content = yaml.load(stream.read(), Loader=yaml.CSafeLoader)
        ticket = msgspec.convert(content, TicketedFinding)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    return ticket if ticket.locations else None
