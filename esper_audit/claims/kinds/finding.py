"""Answers the claim `finding`: a check still reports a symbol."""

from __future__ import annotations

from collections.abc import Iterable

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import CheckRun, Need
from esper_audit.claims.records import FindingClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.claims.symbol_lookup import LocatedSymbol, find_symbol
from esper_audit.findings.finding import Finding
from esper_audit.text.phrases import did_you_mean


def needs(claim: FindingClaim, context: ClaimContext) -> Iterable[Need]:
    """Return the check to run on the file of the symbol."""
    symbol = find_symbol(claim.at, context)
    if isinstance(symbol, LocatedSymbol) and claim.check in context.checks:
        yield CheckRun(claim.check, symbol.source.path)


def answer(claim: FindingClaim, context: ClaimContext) -> Reply:
    """Return whether the check reports a line of the symbol.

    The silence of a check refutes only a finding that it reported there before.
    """
    if claim.check not in context.checks:
        near = did_you_mean(claim.check, context.checks)
        return stale(f"there is no check {claim.check}{near}")
    symbol = find_symbol(claim.at, context)
    if isinstance(symbol, Reply):
        return symbol
    findings = context.findings(CheckRun(claim.check, symbol.source.path))
    if isinstance(findings, str):
        return cannot_tell(findings, symbol.place)
    here = [finding for finding in findings if _is_at(finding, symbol)]
    if here:
        places = (f"{f.location.path}:{f.location.line}" for f in here)
        return holds(f"{claim.check} reports: {here[0].message}", *places)
    looked = f"{claim.check} looked at {claim.at} and reports nothing"
    if not context.was_reported(claim.check, claim.at, symbol):
        reason = "it never reported it there, so its silence refutes nothing"
        return cannot_tell(f"{looked}; {reason}", symbol.place)
    return refuted(looked, symbol.place)


def _is_at(finding: Finding, symbol: LocatedSymbol) -> bool:
    return symbol.first <= finding.location.line <= symbol.last
