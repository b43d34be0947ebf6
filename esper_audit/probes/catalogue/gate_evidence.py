"""The probe `gate-evidence`: a gate without its evidence fails, and says which is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Gate


class GateEvidence(Probe[Gate]):
    """A gate without its evidence fails, and says which is missing.

    What: every gate is asked with complete evidence, which it must pass, and with each piece missing in
    turn: it must fail, by a reason. A level that does not exist must be an error.

    Why: what was never measured is not good. A default case that passes lets a seed through every gate
    that somebody adds later, and one that fails without a reason is overruled by hand.

    Quiet: what a gate asks for, and how much, is its own business.

    Tickets: real code
    """

    contract = "gate-default"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Gate
    limits: ClassVar[Limits] = {
        "passes-without": must_be_zero("a gate passed though its evidence is missing"),
        "unknown-passes": must_be_zero("a level that does not exist got an answer, not an error"),
        "no-reason": must_be_zero("a gate failed and named no reason"),
        "never-passes": must_be_zero("a gate failed with complete evidence"),
    }

    def measure(self, subject: Gate, state: str) -> Iterator[Reading]:
        """Ask every level with everything, with something missing, and levels that are none."""
        built = subject.at(state)
        for level in subject.levels:
            whole = subject.judge(built, level, subject.complete(level))
            refused = not subject.passed(whole)
            yield Reading("never-passes", float(refused), {"level": f"{level}"})
            for missing, evidence in subject.lacking(level).items():
                result = subject.judge(built, level, evidence)
                witness = {"level": f"{level}", "missing": missing}
                passed = subject.passed(result)
                yield Reading("passes-without", float(passed), {**witness})
                silent = not passed and not any(subject.reasons(result))
                yield Reading("no-reason", float(silent), {**witness})
        for level in subject.unknown:
            try:
                subject.judge(built, level, subject.complete(subject.levels[0]))
            # Which error it is refused with is the subject's own choice.
            except FAILURES:
                yield Reading("unknown-passes", 0.0)
            else:
                yield Reading("unknown-passes", 1.0, {"level": f"{level}"})
