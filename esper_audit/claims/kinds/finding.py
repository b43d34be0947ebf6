"""The claim `finding`: a check still fires at a symbol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from esper_audit.claims.address import Address, LocatedSymbol, find
from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import CheckRun, Need
from esper_audit.claims.reply import Reply, Text, cannot_tell, holds, refuted, stale
from esper_audit.text.phrases import did_you_mean

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.findings.finding import Finding


class FindingClaim(Claim, frozen=True, kw_only=True, tag="finding"):
    """The check reports the symbol, or the file; a finding that was authorised or accepted counts."""

    check: Text
    at: Address

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Wish for the check on the file of the symbol."""
        symbol = find(self.at, context)
        if isinstance(symbol, LocatedSymbol) and self.check in context.checks:
            yield CheckRun(self.check, symbol.source.path)

    def answer(self, context: ClaimContext) -> Reply:
        """Read what the check said of the file."""
        if self.check not in context.checks:
            return stale(
                f"there is no check {self.check}{did_you_mean(self.check, context.checks)}"
            )
        symbol = find(self.at, context)
        if isinstance(symbol, Reply):
            return symbol
        told = context.told_by(CheckRun(self.check, symbol.source.path))
        if isinstance(told, str):
            return cannot_tell(told, symbol.place)
        here = [finding for finding in told if _is_at(finding, symbol)]
        if here:
            places = (f"{f.location.path}:{f.location.line}" for f in here)
            return holds(f"{self.check} reports: {here[0].message}", *places)
        return refuted(f"{self.check} looked at {self.at} and reports nothing", symbol.place)


def _is_at(finding: Finding, symbol: LocatedSymbol) -> bool:
    return symbol.first <= finding.location.line <= symbol.last
