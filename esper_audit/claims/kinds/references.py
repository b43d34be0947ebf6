"""The claim `references`: a symbol is used or not, tested or not."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from esper_audit.claims.address import Address
from esper_audit.claims.claim import Claim
from esper_audit.claims.counts import Count, PossibleCount, elsewhere, judged, lines_of, shown
from esper_audit.claims.reply import Reply
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext

USES = frozenset({Use.CALL, Use.READ, Use.BASE, Use.DECORATOR, Use.STRING})


class Usage(enum.StrEnum):
    """What may be claimed of a symbol."""

    USED = "used"
    UNUSED = "unused"
    TESTED = "tested"
    UNTESTED = "untested"


COUNTS: dict[Usage, Count] = {
    Usage.USED: "at least 1",
    Usage.UNUSED: 0,
    Usage.TESTED: "at least 1",
    Usage.UNTESTED: 0,
}


class ReferencesClaim(Claim, frozen=True, kw_only=True, tag="references", rename={"usage": "is"}):
    """A symbol `is` used, unused, tested or untested.

    It is used where files of the role `among` call, read, derive from or decorate with it outside
    itself; an import alone is no use. It is tested by tests that name it or reach it through what
    they call, `by` a certain file or folder of tests, or `directly`.
    """

    of: Address
    usage: Usage
    by: str = ""
    directly: bool = False
    among: Role = Role.PRODUCTION

    def __post_init__(self) -> None:
        """Refuse to say who tests what is used."""
        about_tests = self.usage in (Usage.TESTED, Usage.UNTESTED)
        wanted = "`by` and `directly` are about tests"
        self.require(told=about_tests or not (self.by or self.directly), wanted=wanted)

    def answer(self, context: ClaimContext) -> Reply:
        """Count the uses, or the tests."""
        symbol = context.symbol(self.of)
        if isinstance(symbol, Reply):
            return symbol
        if self.usage in (Usage.USED, Usage.UNUSED):
            return self._used(context, symbol)
        return self._tested(context, symbol)

    def _used(self, context: ClaimContext, symbol: Symbol) -> Reply:
        told = context.index.references(symbol, USES)
        outside = [reference for reference in told.items if not symbol.holds(reference.place)]
        counted = [r for r in outside if r.place.role is self.among]
        unclear = [r for r in counted if r.resolved_by is ResolvedBy.NAME or r.by_string]
        unread = tuple(problem.path for problem in told.not_looked_at)
        tally = PossibleCount(len(counted) - len(unclear), len(unclear), unread)
        roles = elsewhere((reference.place.role for reference in outside), self.among)
        said = f"{count(len(counted), f'{self.among} use')} of {self.of}{roles}"
        return judged(tally, COUNTS[self.usage], said, shown(r.place for r in counted))

    def _tested(self, context: ClaimContext, symbol: Symbol) -> Reply:
        told = context.index.tests(symbol)
        tests = [
            test
            for test in told.items
            if test.path.startswith(self.by) and (test.is_direct or not self.directly)
        ]
        unclear = [test for test in tests if test.resolved_by is ResolvedBy.NAME]
        unread = tuple(problem.path for problem in told.not_looked_at)
        direct = sum(test.is_direct for test in tests)
        said = f"{count(len(tests), 'test')} of {self.of}, {direct} of them by name"
        places = lines_of((test.path, test.line) for test in tests)
        tally = PossibleCount(len(tests) - len(unclear), len(unclear), unread)
        return judged(tally, COUNTS[self.usage], said, places)
