"""The claim `callers`: how many calls of a function pass an argument, or leave it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from esper_audit.claims.address import Address
from esper_audit.claims.claim import Claim
from esper_audit.claims.counts import Count, PossibleCount, elsewhere, judged, shown
from esper_audit.claims.reply import Reply, cannot_tell, stale
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import ParameterKind
from esper_audit.source.index.records import Caller, Passing, Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext


class CallersClaim(Claim, frozen=True, kw_only=True, tag="callers"):
    """So many calls of a function, method or class omit an argument, or pass it, or are there at all.

    `omitting`, `passing` and `calls` are counts: `0`, `at least 1`. Calls in files of the role `among`
    are counted. One that forwards `*args` may do either, one resolved by name alone may be another's:
    where the count depends on those it is not told.
    """

    of: Address
    argument: str = ""
    omitting: Count | None = None
    passing: Count | None = None
    calls: Count | None = None
    among: Role = Role.PRODUCTION

    def __post_init__(self) -> None:
        """Refuse a claim without a count, with several, or about no argument."""
        counts = (self.omitting, self.passing, self.calls)
        given = sum(number is not None for number in counts)
        self.require(told=given == 1, wanted="one of `omitting`, `passing` and `calls`")
        needs_argument = self.calls is None
        wanted = "`omitting` and `passing` need an `argument`, `calls` takes none"
        self.require(told=needs_argument == bool(self.argument), wanted=wanted)

    def answer(self, context: ClaimContext) -> Reply:
        """Count the calls."""
        symbol = context.symbol(self.of)
        if isinstance(symbol, Reply):
            return symbol
        problem = self._argument_problem(context, symbol)
        if problem is not None:
            return problem
        told = context.index.callers(symbol, self.argument)
        unread = tuple(problem.path for problem in told.not_looked_at)
        return self._judged(told.items, unread)

    def _argument_problem(self, context: ClaimContext, symbol: Symbol) -> Reply | None:
        if not self.argument:
            return None
        parameters = context.index.parameters(symbol)
        place = f"{symbol.path}:{symbol.line}"
        if parameters is None:
            return cannot_tell(f"nothing tells the parameters of {self.of}", place)
        takes = any(p.name == self.argument or p.kind is ParameterKind.KWARGS for p in parameters)
        return None if takes else stale(f"{self.of} takes no {self.argument} any more", place)

    def _judged(self, callers: Sequence[Caller], unread: tuple[str, ...]) -> Reply:
        counted = [caller for caller in callers if caller.place.role is self.among]
        certain = [
            caller for caller in counted if caller.reference.resolved_by is not ResolvedBy.NAME
        ]
        roles = elsewhere((caller.place.role for caller in callers), self.among)
        said = f"{count(len(counted), f'{self.among} call')}{roles}"
        if self.calls is not None:
            tally = PossibleCount(len(certain), len(counted) - len(certain), unread)
            return judged(tally, self.calls, said, shown(c.place for c in counted))
        kind = Passing.OMITS if self.passing is None else Passing.PASSES
        wanted = self.omitting if self.passing is None else self.passing
        assert wanted is not None
        sure = sum(caller.passing is kind for caller in certain)
        possible = sum(caller.passing in (kind, Passing.MAY_FORWARD) for caller in counted)
        chosen = [caller for caller in counted if caller.passing is kind] or counted
        tally = PossibleCount(sure, possible - sure, unread)
        said += self._passing(counted)
        reply = judged(tally, wanted, said, shown(c.place for c in chosen))
        return msgspec.structs.replace(reply, hits=self._hits(counted))

    def _hits(self, counted: Sequence[Caller]) -> int | None:
        """Return how many production calls leave the argument out; None where any more may do so."""
        omit = sum(caller.passing is Passing.OMITS for caller in counted)
        unclear = any(caller.passing is Passing.MAY_FORWARD for caller in counted)
        is_told = self.among is Role.PRODUCTION and (omit or not unclear)
        return omit if is_told else None

    def _passing(self, counted: Sequence[Caller]) -> str:
        omit = sum(caller.passing is Passing.OMITS for caller in counted)
        passes = sum(caller.passing is Passing.PASSES for caller in counted)
        may = len(counted) - omit - passes
        forward = f", {may} may forward it" if may else ""
        return f": {passes} pass {self.argument}, {omit} omit it{forward}"
