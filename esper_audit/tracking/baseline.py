"""The tickets as baseline: which findings are known, read from three lines of each ticket and without a YAML parser."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.tracking.tracked_ticket import RESOLVED_BY_CHANGE

if TYPE_CHECKING:
    from esper_audit.tracking.current_tree import CurrentTree

SUFFIX = ".yaml"
FIELD = re.compile(r"^(status|fingerprint|check): *['\"]?([\w-]+)", re.MULTILINE)


class KnownTicket(msgspec.Struct, frozen=True):
    """A ticket as the baseline sees it; `file` is where it stands."""

    id: str
    status: str
    check: str
    file: str

    @property
    def holds(self) -> bool:
        """Whether it excuses its finding: one that says fixed does not."""
        return self.status != RESOLVED_BY_CHANGE


class Baseline(msgspec.Struct, frozen=True):
    """The tickets of a project by the identity of their finding; `files` are those that were read."""

    tickets: dict[str, KnownTicket]
    files: list[str]

    def apply(self, audit: Audit, directory: str, buffers: Mapping[str, bytes]) -> Audit:
        """Return the audit with the findings that have a ticket, unless that says fixed, set aside.

        `buffers` are texts that stand for files, by path.
        """
        known = {
            finding.fingerprint: ticket
            for finding in audit.findings
            if (ticket := self.tickets.get(finding.fingerprint)) is not None and ticket.holds
        }
        read = [*audit.files_read, *self.files]
        listed = [*audit.directories_listed, directory]
        checks = self._checks_to_recollect(audit, known)
        if checks:
            from esper_audit.tracking.current_tree import CurrentTree

            present = CurrentTree(audit.root, buffers)
            better = self._recollected(audit, checks, present)
            given = {ticket.id for ticket in better.values()}
            known = {key: t for key, t in known.items() if t.id not in given} | better
            read += present.files_asked_for()
            listed += present.directories_asked_for()
        return msgspec.structs.replace(
            audit,
            findings=[f for f in audit.findings if f.fingerprint not in known],
            ticketed=[
                Ticketed(finding, ticket.id, ticket.status)
                for finding in audit.findings
                if (ticket := known.get(finding.fingerprint)) is not None
            ],
            files_read=read,
            directories_listed=listed,
        )

    def _checks_to_recollect(
        self, audit: Audit, known: Mapping[str, KnownTicket]
    ) -> frozenset[str]:
        """Return the checks that have findings without ticket, and tickets.

        Among findings that are alike the one without ticket may be another than the one whose
        fingerprint is new, so it does not matter whether all tickets have a finding.
        """
        strangers = {f.check for f in audit.findings if f.fingerprint not in known}
        return frozenset(t.check for t in self.tickets.values() if t.holds and t.check in strangers)

    def _recollected(
        self, audit: Audit, checks: frozenset[str], present: CurrentTree
    ) -> dict[str, KnownTicket]:
        from esper_audit.tracking.baseline_matching import recollected

        by_id = {ticket.id: ticket for ticket in self.tickets.values() if ticket.check in checks}
        files = [ticket.file for ticket in by_id.values()]
        found = recollected(files, audit, checks, present)
        tickets = {finding: by_id[ticket_id] for finding, ticket_id in found.items()}
        return {finding: ticket for finding, ticket in tickets.items() if ticket.holds}


def read_baseline(directory: str) -> Baseline:
    """Read the tickets of a folder; one without a finding behind it is no part of the baseline."""
    tickets: dict[str, KnownTicket] = {}
    files: list[str] = []
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    for name in names:
        if not name.endswith(SUFFIX):
            continue
        path = os.path.join(directory, name)
        with open(path, encoding="utf-8", errors="replace") as file:
            fields: Mapping[str, str] = dict(FIELD.findall(file.read()))
        files.append(path)
        if {"status", "fingerprint"} <= fields.keys():
            check = fields.get("check", "")
            ticket = KnownTicket(name.removesuffix(SUFFIX), fields["status"], check, path)
            before = tickets.get(fields["fingerprint"])
            if before is None or not before.holds:
                tickets[fields["fingerprint"]] = ticket
    return Baseline(tickets, files)
