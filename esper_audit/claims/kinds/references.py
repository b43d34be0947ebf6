"""Answers the claim `references`: a symbol is used or not, tested or not."""

from __future__ import annotations

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.counts import (
    PossibleCount,
    by_name_only,
    compare_counts,
    first_lines,
    first_places,
    other_roles,
)
from esper_audit.claims.needs import Need
from esper_audit.claims.records import Count, ReferencesClaim, Usage
from esper_audit.claims.reply import Reply
from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Reference, Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.text.markdown import count

USES = frozenset({Use.CALL, Use.READ, Use.BASE, Use.DECORATOR, Use.STRING})
CLAIMED: dict[Usage, Count] = {
    Usage.USED: "at least 1",
    Usage.UNUSED: 0,
    Usage.TESTED: "at least 1",
    Usage.UNTESTED: 0,
}


def needs(claim: ReferencesClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the index has the references."""
    return ()


def answer(claim: ReferencesClaim, context: ClaimContext) -> Reply:
    """Return whether the index has uses, or tests, as claimed."""
    symbol = context.symbol(claim.of)
    if isinstance(symbol, Reply):
        return symbol
    if claim.usage in (Usage.USED, Usage.UNUSED):
        return _uses(claim, context, symbol)
    return _tests(claim, context, symbol)


def _uses(claim: ReferencesClaim, context: ClaimContext, symbol: Symbol) -> Reply:
    references = context.index.references(symbol, USES)
    outside = [r for r in references.items if not symbol.holds(r.place)]
    counted = [r for r in outside if r.place.role is claim.among]
    certain = [reference for reference in counted if _is_certain(reference)]
    by_name = len(counted) - len(certain)
    unread = tuple(problem.path for problem in references.not_looked_at)
    found = PossibleCount(len(certain), by_name, unread)
    roles = other_roles((r.place.role for r in outside if _is_certain(r)), claim.among)
    uses = count(len(certain), f"{claim.among} use")
    description = f"{uses} of {claim.of}{by_name_only(by_name)}{roles}"
    places = first_places(reference.place for reference in certain or counted)
    return compare_counts(found, CLAIMED[claim.usage], description, places)


def _tests(claim: ReferencesClaim, context: ClaimContext, symbol: Symbol) -> Reply:
    reaching = context.index.tests(symbol, by_name=True)
    tests = [
        test
        for test in reaching.items
        if test.path.startswith(claim.by) and (test.is_direct or not claim.directly)
    ]
    certain = [test for test in tests if test.resolved_by is not ResolvedBy.NAME]
    by_name = len(tests) - len(certain)
    unread = tuple(problem.path for problem in reaching.not_looked_at)
    found = PossibleCount(len(certain), by_name, unread)
    direct = sum(test.is_direct for test in certain)
    number = f"{count(len(certain), 'test')} of {claim.of}, {direct} of them by name"
    description = number + by_name_only(by_name)
    places = first_lines((test.path, test.line) for test in certain or tests)
    return compare_counts(found, CLAIMED[claim.usage], description, places)


def _is_certain(reference: Reference) -> bool:
    return reference.resolved_by is not ResolvedBy.NAME and not reference.by_string
