"""The claim `finding`: a check still fires at a symbol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from esper_audit.address import Address, Symbol, find
from esper_audit.claim import CheckOn, Claim, Need, Reply, Text, cannot_tell, holds, refuted, stale
from esper_audit.suggestion import did_you_mean

if TYPE_CHECKING:
    from esper_audit.finding import Finding
    from esper_audit.inquiry import Inquiry


class FindingClaim(Claim, frozen=True, kw_only=True, tag="finding"):
    """The check reports the symbol, or the file; a finding that was authorised or accepted counts."""

    check: Text
    at: Address

    def needs(self, inquiry: Inquiry) -> Iterable[Need]:
        """Wish for the check on the file of the symbol."""
        symbol = find(self.at, inquiry)
        if isinstance(symbol, Symbol) and self.check in inquiry.checks:
            yield CheckOn(self.check, symbol.source.path)

    def answer(self, inquiry: Inquiry) -> Reply:
        """Read what the check said of the file."""
        if self.check not in inquiry.checks:
            return stale(
                f"there is no check {self.check}{did_you_mean(self.check, inquiry.checks)}"
            )
        symbol = find(self.at, inquiry)
        if isinstance(symbol, Reply):
            return symbol
        told = inquiry.told_by(CheckOn(self.check, symbol.source.path))
        if isinstance(told, str):
            return cannot_tell(told, symbol.place)
        here = [finding for finding in told if _is_at(finding, symbol)]
        if here:
            places = (f"{f.location.path}:{f.location.line}" for f in here)
            return holds(f"{self.check} reports: {here[0].message}", *places)
        return refuted(f"{self.check} looked at {self.at} and reports nothing", symbol.place)


def _is_at(finding: Finding, symbol: Symbol) -> bool:
    return symbol.first <= finding.location.line <= symbol.last
