"""The probe `ddp-decision`: two ranks that saw different things take one decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading, control, must_be_zero
from esper_audit.probes.measure.two_processes import WORLD, Answer, run_on_two_ranks
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Decision

VIEWS = ((True, True), (False, False), (True, False), (False, True))


class DdpDecision(Probe[Decision]):
    """Two ranks that saw different things take one decision.

    What: two real processes with gloo between them decide four times: both saw yes, both no, and each way
    around. Every rank must answer, and both must answer the same.

    Why: a network whose architecture differs between ranks cannot be trained. A gate that each rank
    judges by its own share of the data grows a seed on one rank and none on the other; the next
    collective hangs.

    Quiet: which rank's view wins, or whether all must agree, is the subject's own business.

    Tickets: real code
    """

    contract = "ddp-decision"
    category = Category.RACE_CONDITION
    severity = Severity.P1
    takes = Decision
    limits: ClassVar[Limits] = {
        "no-answer": must_be_zero("a rank raised, died or never answered"),
        "disagree": must_be_zero("the ranks took different decisions"),
        "depends": control("the decision is the same whatever the ranks saw"),
    }

    def measure(self, subject: Decision, state: str) -> Iterator[Reading]:
        """Let two ranks decide, for every pair of views."""
        decided: set[Answer] = set()
        for views in VIEWS:
            answers = _decide(subject, state, views)
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


def _decide(subject: Decision, state: str, views: tuple[bool, bool]) -> list[Answer]:
    def work(rank: int) -> bool:
        evidence = subject.yes if views[rank] else subject.no
        return bool(subject.decide(subject.at(state), evidence))

    return run_on_two_ranks(work)
