"""What a ticket without claims still says: its quotations and its commits, as claims that nobody vouches for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.kinds.commit import CommitClaim
from esper_audit.claims.kinds.quote import QuoteClaim
from esper_audit.tickets.quotes import quotes_of
from esper_audit.tickets.ticket import Ticket

LINES = re.compile(r".*:(?P<lines>\d+(-\d+)?)")


def implied_claims(ticket: Ticket) -> list[Claim]:
    """Return the claims that a ticket implies, for asking what has become of an imported one."""
    return [*_quotations(ticket), *_commits(ticket)]


def _quotations(ticket: Ticket) -> Iterator[Claim]:
    for quote in quotes_of(ticket):
        cited = LINES.fullmatch(ticket.evidence[quote.position].place)
        content = {
            "kind": "quote",
            "id": f"Q{quote.position + 1}",
            "sentence": "The code stands there as it is quoted.",
            "path": quote.path,
            "code": quote.code,
            "lines": cited["lines"] if cited else None,
        }
        try:
            yield msgspec.convert(content, QuoteClaim)
        except msgspec.ValidationError:  # nothing but `...` is quoted
            continue


def _commits(ticket: Ticket) -> Iterator[Claim]:
    commits = ticket.resolution.commits if ticket.resolution else []
    for number, commit in enumerate(commits, 1):
        yield CommitClaim(id=f"K{number}", sentence="It was resolved there.", commit=commit)
