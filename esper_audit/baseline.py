"""The tickets as baseline: which findings are known, read from two lines of each ticket and without a YAML parser."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from esper_audit.audit import Audit, Ticketed

SUFFIX = ".yaml"
FIELD = re.compile(r"^(status|fingerprint): *['\"]?([\w-]+)", re.MULTILINE)
RESOLVED_BY_CHANGE = "fixed"


class Known(msgspec.Struct, frozen=True):
    """A ticket as the baseline sees it."""

    id: str
    status: str


class Baseline(msgspec.Struct, frozen=True):
    """The tickets of a project by the identity of their finding; `files` are those that were read."""

    tickets: dict[str, Known]
    files: list[str]

    def apply(self, audit: Audit, directory: str) -> Audit:
        """Return the audit with the findings that have a ticket, unless that says fixed, set aside."""
        known = {f.fingerprint: self.tickets.get(f.fingerprint) for f in audit.findings}
        return msgspec.structs.replace(
            audit,
            findings=[f for f in audit.findings if not _holds(known[f.fingerprint])],
            ticketed=[
                Ticketed(finding, ticket.id, ticket.status)
                for finding in audit.findings
                if (ticket := known[finding.fingerprint]) is not None and _holds(ticket)
            ],
            files_read=[*audit.files_read, *self.files],
            directories_listed=[*audit.directories_listed, directory],
        )


def read_baseline(directory: str) -> Baseline:
    """Read the tickets of a folder; one without a finding behind it is no part of the baseline."""
    tickets: dict[str, Known] = {}
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
            tickets[fields["fingerprint"]] = Known(name.removesuffix(SUFFIX), fields["status"])
    return Baseline(tickets, files)


def _holds(ticket: Known | None) -> bool:
    return ticket is not None and ticket.status != RESOLVED_BY_CHANGE
