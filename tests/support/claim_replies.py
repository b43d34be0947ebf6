"""Answers claims in a test: a small tree, claims as a ticket contains them, their replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.records import AnyClaim
from esper_audit.claims.registry import answer
from esper_audit.claims.reply import Reply
from esper_audit.project.config import find_project
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.reported_findings import reported_findings
from support.audit_runs import TODAY, write


def claim(name: str = "C1", **query: Any) -> Claim:
    """Return a claim with the keys of a ticket's file."""
    content = {"id": name, "sentence": "It is so.", **query}
    read: Claim = msgspec.convert(content, AnyClaim)
    return read


def replies(
    root: Path,
    files: Mapping[str, str],
    queries: Mapping[str, Mapping[str, Any]],
    tickets: Iterable[Ticket] = (),
) -> dict[str, Reply]:
    """Write a tree and answer all queries about it together, knowing what `tickets` record."""
    write(root, {"esper-audit.toml": "", **files})
    reported = reported_findings(tickets)
    context = ProjectClaimContext(find_project([str(root)]), today=TODAY, reported=reported)
    claims = {label: claim(**query) for label, query in queries.items()}
    context.prepare(claims.values())
    return {label: answer(one, context) for label, one in claims.items()}


def reply(
    root: Path, files: Mapping[str, str], *, tickets: Iterable[Ticket] = (), **query: Any
) -> Reply:
    """Write a tree and answer one query about it, knowing what `tickets` record."""
    return replies(root, files, {"it": query}, tickets)["it"]
