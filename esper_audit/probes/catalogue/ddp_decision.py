"""The probe `ddp-decision`: two ranks with different evidence take the same decision."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.two_processes import WORLD, Answer, run_on_two_ranks
from esper_audit.probes.measure.readings import Limits, Reading, control, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Decision

VIEWS = ((True, True), (False, False), (True, False), (False, True))


class DdpDecision(Probe[Decision]):
    """Two ranks with different evidence take the same decision.

    What: two processes of a gloo group decide four times in a row: with evidence for yes on both ranks, on neither,
    and on each rank alone. Both ranks must answer, with the same answer.

    Why: a network whose architecture differs between ranks cannot be trained. A gate that each rank judges
    by its own data grows a seed on one rank only, and the next collective operation hangs.

    Quiet: the subject chooses which rank's evidence decides, or whether all must agree.

    Tickets: real code
    """

    contract = "ddp-decision"
    category = Category.RACE_CONDITION
    severity = Severity.P1
    takes = Decision
    limits: ClassVar[Limits] = {
        "no-answer": must_be_zero("a rank raised, died or never answered"),
        "disagree": must_be_zero("the ranks took different decisions"),
        "depends": control("the decision does not depend on the evidence"),
    }

    def measure(self, subject: Decision, state: str) -> Iterator[Reading]:
        """Let two ranks decide on every pair of views."""
        decided: set[Answer] = set()
        tasks = [partial(_decide, subject, state, views) for views in VIEWS]
        for views, answers in zip(VIEWS, run_on_two_ranks(tasks), strict=False):
            failed = [answer for answer in answers if isinstance(answer, str)]
            witness: dict[str, Plain] = {
                f"rank_{rank}": f"saw {view}, {answer}"
                for rank, (view, answer) in enumerate(zip(views, answers, strict=True))
            }
            yield Reading("no-answer", float(len(failed)), witness)
            if failed:
                return
            yield Reading("disagree", float(len(set(answers)) != 1), witness)
            decided |= set(answers)
        yield Reading("depends", float(len(decided) == WORLD))


def _decide(subject: Decision, state: str, views: tuple[bool, bool], rank: int) -> bool:
    evidence = subject.yes if views[rank] else subject.no
    return bool(subject.decide(subject.at(state), evidence))
