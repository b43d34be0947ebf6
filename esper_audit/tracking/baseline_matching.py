"""The tickets as baseline, second look: findings that no fingerprint explains are matched by likeness."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import yaml

from esper_audit.findings.audit import Audit
from esper_audit.tracking.context_hash import ContextHash
from esper_audit.tracking.current_tree import CurrentTree
from esper_audit.tracking.matcher import matched
from esper_audit.tracking.observation import observation_of_ticket, observations


class TicketPlace(msgspec.Struct, frozen=True):
    """Where a ticket's finding was; other keys are not the baseline's business."""

    path: str
    lines: str
    symbol: str = ""


class RememberedFinding(msgspec.Struct, frozen=True):
    """What a ticket remembers of its finding."""

    id: str
    status: str
    check: str
    fingerprint: str
    locations: list[TicketPlace]
    likeness: ContextHash | None = None


def recollected(
    files: Iterable[str], audit: Audit, checks: Collection[str], present: CurrentTree
) -> dict[str, str]:
    """Return, by fingerprint, the id of the ticket of every finding of some checks that has one."""
    old = [observation_of_ticket(known) for known in map(_read, files) if known is not None]
    found = [*audit.findings, *(suppressed.finding for suppressed in audit.suppressed)]
    new = observations([finding for finding in found if finding.check in checks], present.source)
    looked_at = {s.key for s in old if audit.looked_at(s.check, s.path)}
    return {m.new.key: m.old.key for m in matched(old, new, present, may_move=looked_at)}


def _read(file: str) -> RememberedFinding | None:
    """Read a ticket; one that is no ticket is no part of the baseline, `esper-audit run` complains of it."""
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            content = yaml.load(stream.read(), Loader=yaml.CSafeLoader)
        known = msgspec.convert(content, RememberedFinding)
    except (OSError, yaml.YAMLError, msgspec.ValidationError):
        return None
    return known if known.locations else None
