"""The tickets as baseline: the known findings, read from four lines of each ticket without a YAML parser."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.findings.errors import TicketError, reason_of
from esper_audit.tracking.ticket_folder import SUFFIX, ticket_files
from esper_audit.tracking.tracked_ticket import ACCEPTED, RESOLVED_BY_CHANGE

if TYPE_CHECKING:
    from esper_audit.tracking.current_tree import CurrentTree

FIELD = re.compile(r"^(status|fingerprint|check): *['\"]?([\w-]+)", re.MULTILINE)
LAST_DAY = re.compile(
    r"^resolution: *\n(?=( +))(?:(?: .*)?\n)*?\1until: *['\"]?(\d{4}-\d{2}-\d{2})", re.MULTILINE
)


class KnownTicket(msgspec.Struct, frozen=True):
    """The fields of a ticket that the baseline needs.

    `file` is its absolute path.
    """

    id: str
    status: str
    check: str
    file: str
    has_expired: bool = False

    @property
    def is_baseline(self) -> bool:
        """Return whether its finding is known: with a ticket that is fixed or expired it counts as new."""
        return self.status != RESOLVED_BY_CHANGE and not self.has_expired


class Baseline(msgspec.Struct, frozen=True):
    """The tickets of a project by the fingerprint of their finding.

    `files` are those that were read.
    """

    tickets: dict[str, KnownTicket]
    files: list[str]

    def apply(self, audit: Audit, directory: str, buffers: Mapping[str, bytes]) -> Audit:
        """Return the audit with the findings that have a ticket moved to `ticketed`.

        A ticket with status `fixed` does not count. `buffers` are contents to use instead of the
        files, by path.
        """
        known = {
            finding.fingerprint: ticket
            for finding in audit.findings
            if (ticket := self.tickets.get(finding.fingerprint)) is not None and ticket.is_baseline
        }
        read = [*audit.files_read, *self.files]
        listed = [*audit.directories_listed, directory]
        checks = self._checks_to_match(audit, known)
        if checks:
            from esper_audit.tracking.current_tree import CurrentTree

            current_tree = CurrentTree(audit.root, buffers)
            matched = self._match_by_context(audit, checks, current_tree)
            taken = {ticket.id for ticket in matched.values()}
            known = {key: t for key, t in known.items() if t.id not in taken} | matched
            read += current_tree.checked_files()
            listed += current_tree.checked_directories()
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

    def _checks_to_match(self, audit: Audit, known: Mapping[str, KnownTicket]) -> frozenset[str]:
        """Return the checks that have both tickets and findings without ticket.

        Among duplicates the new finding may be another than the one with the new fingerprint, so a
        check counts even if each of its tickets has a finding.
        """
        unmatched = {f.check for f in audit.findings if f.fingerprint not in known}
        return frozenset(
            t.check for t in self.tickets.values() if t.is_baseline and t.check in unmatched
        )

    def _match_by_context(
        self, audit: Audit, checks: frozenset[str], current_tree: CurrentTree
    ) -> dict[str, KnownTicket]:
        from esper_audit.tracking.baseline_matching import match_baseline

        by_id = {ticket.id: ticket for ticket in self.tickets.values() if ticket.check in checks}
        files = [ticket.file for ticket in by_id.values()]
        found = match_baseline(files, audit, checks, current_tree)
        tickets = {finding: by_id[ticket_id] for finding, ticket_id in found.items()}
        return {finding: ticket for finding, ticket in tickets.items() if ticket.is_baseline}


def read_baseline(directory: str, today: str) -> Baseline:
    """Read the tickets of a folder.

    The acceptance of a ticket can end before `today`. A ticket without fingerprint is not part of the
    baseline. Raises TicketError for a folder or a file that cannot be read.
    """
    tickets: dict[str, KnownTicket] = {}
    files: list[str] = []
    for name in ticket_files(directory):
        path = os.path.join(directory, name)
        fields = _fields(path)
        files.append(path)
        if {"status", "fingerprint"} <= fields.keys():
            check = fields.get("check", "")
            has_expired = fields["status"] in ACCEPTED and fields.get("until", today) < today
            name = name.removesuffix(SUFFIX)
            ticket = KnownTicket(name, fields["status"], check, path, has_expired)
            before = tickets.get(fields["fingerprint"])
            if before is None or not before.is_baseline:
                tickets[fields["fingerprint"]] = ticket
    return Baseline(tickets, files)


def _fields(file: str) -> Mapping[str, str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError as error:
        raise TicketError(f"{file}: cannot be read: {reason_of(error)}") from error
    last_day = LAST_DAY.search(text)
    return dict(FIELD.findall(text)) | ({"until": last_day[2]} if last_day else {})
