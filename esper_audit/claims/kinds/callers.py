"""Answers the claim `callers`: how many calls of a function pass an argument or omit it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.counts import (
    PossibleCount,
    by_name_only,
    compare_counts,
    first_places,
    other_roles,
)
from esper_audit.claims.needs import Need
from esper_audit.claims.records import CallersClaim
from esper_audit.claims.reply import Reply, cannot_tell, stale
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import ParameterKind
from esper_audit.source.index.records import Caller, Passing, Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.text.markdown import count


def needs(claim: CallersClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the index has the calls."""
    return ()


def answer(claim: CallersClaim, context: ClaimContext) -> Reply:
    """Return whether the index has as many calls as claimed."""
    symbol = context.symbol(claim.of)
    if isinstance(symbol, Reply):
        return symbol
    problem = _argument_problem(claim, context, symbol)
    if problem is not None:
        return problem
    callers = context.index.callers(symbol, claim.argument)
    unread = tuple(problem.path for problem in callers.not_looked_at)
    return _compared(claim, callers.items, unread)


def _argument_problem(claim: CallersClaim, context: ClaimContext, symbol: Symbol) -> Reply | None:
    if not claim.argument:
        return None
    parameters = context.index.parameters(symbol)
    place = f"{symbol.path}:{symbol.line}"
    if parameters is None:
        return cannot_tell(f"the parameters of {claim.of} are unknown", place)
    takes = any(p.name == claim.argument or p.kind is ParameterKind.KWARGS for p in parameters)
    return None if takes else stale(f"{claim.of} takes no {claim.argument} any more", place)


def _compared(claim: CallersClaim, callers: Sequence[Caller], unread: tuple[str, ...]) -> Reply:
    counted = [caller for caller in callers if caller.place.role is claim.among]
    certain = [caller for caller in counted if _is_certain(caller)]
    roles = other_roles((c.place.role for c in callers if _is_certain(c)), claim.among)
    by_name = len(counted) - len(certain)
    calls = count(len(certain), f"{claim.among} call")
    description = f"{calls}{by_name_only(by_name)}{roles}"
    if claim.calls is not None:
        found = PossibleCount(len(certain), by_name, unread)
        places = first_places(caller.place for caller in certain or counted)
        return compare_counts(found, claim.calls, description, places)
    kind = Passing.OMITS if claim.passing is None else Passing.PASSES
    claimed = claim.omitting if claim.passing is None else claim.passing
    assert claimed is not None
    sure = sum(caller.passing is kind for caller in certain)
    possible = sum(caller.passing in (kind, Passing.MAY_FORWARD) for caller in counted)
    found = PossibleCount(sure, possible - sure, unread)
    description += _passing(claim.argument, certain)
    chosen = [caller for caller in certain if caller.passing is kind] or certain or counted
    reply = compare_counts(found, claimed, description, first_places(c.place for c in chosen))
    return msgspec.structs.replace(reply, hits=_hits(claim, counted))


def _is_certain(caller: Caller) -> bool:
    """Return whether a call is one of the function, and not known by the function's name only."""
    return caller.reference.resolved_by is not ResolvedBy.NAME


def _hits(claim: CallersClaim, counted: Sequence[Caller]) -> int | None:
    """Return how many production calls omit the argument, None if that is uncertain."""
    omit = sum(_is_certain(c) and c.passing is Passing.OMITS for c in counted)
    unclear = any(c.passing is not Passing.PASSES for c in counted)
    is_known = claim.among is Role.PRODUCTION and (omit or not unclear)
    return omit if is_known else None


def _passing(argument: str, counted: Sequence[Caller]) -> str:
    omit = sum(caller.passing is Passing.OMITS for caller in counted)
    passes = sum(caller.passing is Passing.PASSES for caller in counted)
    may = len(counted) - omit - passes
    forward = f", {may} may forward it" if may else ""
    return f": {passes} pass {argument}, {omit} omit it{forward}"
