"""The findings that tickets record as reported once, by check and place."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.claims.records import FindingClaim
from esper_audit.claims.reply import DECIDED
from esper_audit.claims.symbol_lookup import LocatedSymbol
from esper_audit.tickets.ticket import Ticket


class ReportedFindings(msgspec.Struct, frozen=True):
    """The places of findings with a known fingerprint, and the claims that a run decided.

    `places` are triples of check, path and symbol, `claims` pairs of check and address. A run decides a
    claim only after its check reported the place.
    """

    places: frozenset[tuple[str, str, str]] = frozenset()
    claims: frozenset[tuple[str, str]] = frozenset()

    def includes(self, check: str, at: str, symbol: LocatedSymbol) -> bool:
        """Return whether a check reported a symbol or a part of it."""
        return (check, at) in self.claims or any(
            (check, symbol.source.path) == place[:2] and _is_within(place[2], symbol.name)
            for place in self.places
        )


NOTHING_REPORTED = ReportedFindings()


def reported_findings(tickets: Iterable[Ticket]) -> ReportedFindings:
    """Return the findings that the tickets record: by their fingerprint, or by an answer of a claim."""
    all_tickets = list(tickets)
    places = (
        (ticket.check, location.path, location.symbol)
        for ticket in all_tickets
        if ticket.fingerprint
        for location in ticket.locations
    )
    decided = ((claim.check, claim.at) for t in all_tickets for claim in _decided_claims(t))
    return ReportedFindings(frozenset(places), frozenset(decided))


def _decided_claims(ticket: Ticket) -> Iterable[FindingClaim]:
    decided = {answer.claim for answer in ticket.answers if answer.answer in DECIDED}
    claims = (claim for claim in ticket.claims if claim.id in decided)
    return (claim for claim in claims if isinstance(claim, FindingClaim))


def _is_within(inner: str, outer: str) -> bool:
    return not outer or inner == outer or inner.startswith(f"{outer}.")
