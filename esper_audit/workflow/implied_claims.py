"""The claims that a ticket without claims implies: by its places, its quotations, its commits and its phrases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.records import AnyClaim, QuoteClaim
from esper_audit.tickets.quotes import Key, quotes_of
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.implied_phrases import phrase_claims

Query = Mapping[str, Any]


def implied_claims(ticket: Ticket) -> list[Claim]:
    """Return the claims that a ticket implies, of which no answer is expected.

    A ticket that a run wrote implies none: its check is asked again by every run.
    """
    if ticket.fingerprint:
        return []
    return [
        *_claims("L", _places(ticket)),
        *(claim for _, claim in quotations(ticket)),
        *_claims("P", phrase_claims(ticket)),
        *_claims("K", _commits(ticket)),
    ]


def quotations(ticket: Ticket) -> Iterator[tuple[Key, QuoteClaim]]:
    """Yield the quotations of a ticket as claims, each with the path of keys to it."""
    for number, quote in enumerate(quotes_of(ticket), 1):
        content = {
            "id": f"Q{number}",
            "sentence": "The file contains the code as quoted.",
            "kind": "quote",
            "path": quote.path,
            "code": quote.code,
            "lines": quote.lines or None,
        }
        try:
            yield quote.key, msgspec.convert(content, QuoteClaim)
        except msgspec.ValidationError:  # the quotation consists of `...` alone
            continue


def _claims(letter: str, queries: Iterable[Query]) -> Iterator[Claim]:
    """Yield queries as claims whose ids begin with a letter, without those that no claim can ask."""
    for number, query in enumerate(queries, 1):
        try:
            claim: Claim = msgspec.convert({"id": f"{letter}{number}", **query}, AnyClaim)
        except msgspec.ValidationError:  # a symbol that is no name, a default that is no expression
            continue
        yield claim


def _places(ticket: Ticket) -> Iterator[Query]:
    for place in ticket.locations:
        yield {
            "kind": "location",
            "sentence": "The ticket locates the defect here.",
            "path": place.path,
            "symbol": place.symbol,
            "lines": place.lines,
        }


def _commits(ticket: Ticket) -> Iterator[Query]:
    paths = list(dict.fromkeys(place.path for place in ticket.locations))
    touched = paths[0] if len(paths) == 1 else ""
    for commit in ticket.resolution.commits if ticket.resolution else []:
        sentence = "The commit changes the located file." if touched else "The commit exists."
        yield {"kind": "commit", "sentence": sentence, "commit": commit, "touches": touched}
