"""The probe `gate-evidence`: a gate fails with a reason if evidence is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Gate


class GateEvidence(Probe[Gate]):
    """A gate fails with a reason if evidence is missing.

    What: every gate must pass on complete evidence. With any one piece missing it must fail and return a
    reason. A level that does not exist must raise an error.

    Why: missing evidence is not good evidence. A default branch that passes admits a seed to every level
    that is added later. A failure without a reason gets overruled by hand.

    Quiet: a gate chooses which evidence it needs, and how much.

    Tickets: real code
    """

    contract = "gate-default"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Gate
    limits: ClassVar[Limits] = {
        "passes-without": must_be_zero("a gate passed without a piece of its evidence"),
        "unknown-passes": must_be_zero("a level that does not exist was accepted"),
        "no-reason": must_be_zero("a gate failed without a reason"),
        "never-passes": must_be_zero("a gate failed with complete evidence"),
    }

    def measure(self, subject: Gate, state: str) -> Iterator[Reading]:
        """Judge every level with complete and incomplete evidence, then unknown levels."""
        built = subject.at(state)
        for level in subject.levels:
            complete = subject.judge(built, level, subject.complete(level))
            refused = not subject.passed(complete)
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
            # A subject may refuse a level by any error.
            except FAILURES:
                yield Reading("unknown-passes", 0.0)
            else:
                yield Reading("unknown-passes", 1.0, {"level": f"{level}"})
