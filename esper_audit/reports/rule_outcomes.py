"""How the tickets of each check ended: the share of them that a maintainer fixed shows how good the check is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.text.markdown import count
from esper_audit.text.terminal import wrapped
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

FEWEST_DECIDED = 5  # a share of fewer tickets means little
LEAST_SHARE = 0.9  # as for the precision of a check that is on by default


class RuleOutcome(msgspec.Struct, frozen=True):
    """How many tickets of a check ended in which way.

    `share_fixed` is the share of the fixed among the decided (fixed, wont-fix, not-a-bug), None
    without a decided one. A duplicate decides nothing.
    """

    check: str
    open: int
    fixed: int
    wont_fix: int
    not_a_bug: int
    duplicate: int
    share_fixed: float | None

    @property
    def decided(self) -> int:
        """The number of tickets that show whether a finding was right."""
        return self.fixed + self.wont_fix + self.not_a_bug

    @property
    def is_doubtful(self) -> bool:
        """Return whether enough tickets were decided, and too few of them fixed."""
        share = self.share_fixed
        return share is not None and self.decided >= FEWEST_DECIDED and share < LEAST_SHARE


def rule_outcomes(tickets: Iterable[Ticket]) -> list[RuleOutcome]:
    """Return the outcomes of every check that has tickets, by id. Tickets without a check are left out."""
    statuses: dict[str, Counter[Status]] = {}
    for ticket in tickets:
        if ticket.check:
            statuses.setdefault(ticket.check, Counter())[ticket.status] += 1
    return [_outcome(check, statuses[check]) for check in sorted(statuses)]


def _outcome(check: str, ended: Counter[Status]) -> RuleOutcome:
    fixed, wont_fix, not_a_bug = (
        ended[status] for status in (Status.FIXED, Status.WONT_FIX, Status.NOT_A_BUG)
    )
    decided = fixed + wont_fix + not_a_bug
    return RuleOutcome(
        check,
        open=sum(ended[status] for status in ACTIVE),
        fixed=fixed,
        wont_fix=wont_fix,
        not_a_bug=not_a_bug,
        duplicate=ended[Status.DUPLICATE],
        share_fixed=round(fixed / decided, 3) if decided else None,
    )


def outcome_lines(outcomes: Sequence[RuleOutcome]) -> Iterator[str]:
    """Yield a table of outcomes and what follows from it."""
    if not outcomes:
        yield "No ticket of this tree was opened by a check."
        return
    widest = max(len(one.check) for one in outcomes)
    titles = ("open", "fixed", "wont-fix", "not-a-bug", "duplicate", "% fixed")
    yield f"{'':<{widest}} " + " ".join(f"{title:>{max(len(title), 5)}}" for title in titles)
    for one in outcomes:
        share = "" if one.share_fixed is None else f"{one.share_fixed:.0%}"
        numbers = (one.open, one.fixed, one.wont_fix, one.not_a_bug, one.duplicate)
        cells = [str(number) if number else "-" for number in numbers]
        row = zip((*cells, share), titles, strict=True)
        columns = " ".join(f"{cell:>{max(len(title), 5)}}" for cell, title in row)
        yield f"{one.check:<{widest}} {columns}".rstrip()
    for one in outcomes:
        if one.is_doubtful:
            text = (
                f"{one.check}: of {count(one.decided, 'decided ticket')} {one.fixed} fixed, fewer than "
                f"{LEAST_SHARE:.0%}. Revise the rule, or take it off with `ignore`."
            )
            yield wrapped(text, "", "  ").rstrip("\n")
