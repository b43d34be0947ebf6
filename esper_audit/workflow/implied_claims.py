"""The claims that a ticket implies by quoting code and citing commits, for a ticket without claims."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.records import CommitClaim, QuoteClaim
from esper_audit.tickets.quotes import Key, quotes_of
from esper_audit.tickets.ticket import Ticket


def implied_claims(ticket: Ticket) -> list[Claim]:
    """Return the claims that a ticket implies, of which no answer is expected."""
    return [*(claim for _, claim in quotations(ticket)), *_commits(ticket)]


def quotations(ticket: Ticket) -> Iterator[tuple[Key, QuoteClaim]]:
    """Yield the quotations of a ticket as claims, each with the path of keys to it."""
    for number, quote in enumerate(quotes_of(ticket), 1):
        content = {
            "kind": "quote",
            "id": f"Q{number}",
            "sentence": "The file contains the code as quoted.",
            "path": quote.path,
            "code": quote.code,
            "lines": quote.lines or None,
        }
        try:
            yield quote.key, msgspec.convert(content, QuoteClaim)
        except msgspec.ValidationError:  # the quotation consists of `...` alone
            continue


def _commits(ticket: Ticket) -> Iterator[Claim]:
    commits = ticket.resolution.commits if ticket.resolution else []
    for number, commit in enumerate(commits, 1):
        yield CommitClaim(id=f"K{number}", sentence="The commit exists.", commit=commit)
