"""The claims that a ticket implies by quoting code and citing commits, for a ticket without claims."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.records import CommitClaim, QuoteClaim
from esper_audit.tickets.quotes import quotes_of
from esper_audit.tickets.ticket import Ticket

LINES = re.compile(r".*:(?P<lines>\d+(-\d+)?)")


def implied_claims(ticket: Ticket) -> list[Claim]:
    """Return the claims that a ticket implies, of which no answer is expected."""
    return [*_quotations(ticket), *_commits(ticket)]


def _quotations(ticket: Ticket) -> Iterator[Claim]:
    for quote in quotes_of(ticket):
        cited = LINES.fullmatch(ticket.evidence[quote.position].place)
        content = {
            "kind": "quote",
            "id": f"Q{quote.position + 1}",
            "sentence": "The file contains the code as quoted.",
            "path": quote.path,
            "code": quote.code,
            "lines": cited["lines"] if cited else None,
        }
        try:
            yield msgspec.convert(content, QuoteClaim)
        except msgspec.ValidationError:  # the quotation consists of `...` alone
            continue


def _commits(ticket: Ticket) -> Iterator[Claim]:
    commits = ticket.resolution.commits if ticket.resolution else []
    for number, commit in enumerate(commits, 1):
        yield CommitClaim(id=f"K{number}", sentence="The commit exists.", commit=commit)
