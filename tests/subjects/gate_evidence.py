"""The corpus of the probe `gate-evidence`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subjects.cases import Case, broken, sound

from esper_audit.subject import Gate, promise

Evidence = dict[str, float]
NEEDED = {"train": ("epochs", "ratio"), "blend": ("contribution",)}


@dataclass(frozen=True)
class Result:
    passed: bool
    reasons: tuple[str, ...] = ()


class Judge:
    def judge(self, level: str, evidence: Evidence) -> Result:
        missing = tuple(f"{n}_unmeasured" for n in self.needed(level) if n not in evidence)
        return Result(not missing, missing)

    def needed(self, level: str) -> tuple[str, ...]:
        return NEEDED[level]


class DefaultsToZero(Judge):
    """Treats a missing measurement as zero, which is enough for one of the checks."""

    def judge(self, level: str, evidence: Evidence) -> Result:
        weak = tuple(name for name in self.needed(level) if evidence.get(name, 0.0) < 0.0)
        return Result(not weak, weak)


class PassesUnknownLevels(Judge):
    def needed(self, level: str) -> tuple[str, ...]:
        return NEEDED.get(level, ())


class FailsUnknownLevels(Judge):
    """Fails for an unknown level instead of raising an error."""

    def judge(self, level: str, evidence: Evidence) -> Result:
        return super().judge(level, evidence) if level in NEEDED else Result(False, ("unknown",))


class SaysNothing(Judge):
    def judge(self, level: str, evidence: Evidence) -> Result:
        return Result(super().judge(level, evidence).passed)


class ReadsOneOfTwo(Judge):
    def needed(self, level: str) -> tuple[str, ...]:
        return NEEDED[level][:1]


class NeverPasses(Judge):
    def needed(self, level: str) -> tuple[str, ...]:
        return (*NEEDED[level], "patience")


def cases() -> Iterator[Case]:
    yield sound(_gate(Judge))
    yield broken(_gate(DefaultsToZero), "passes-without")
    yield broken(_gate(ReadsOneOfTwo), "passes-without")
    yield broken(_gate(PassesUnknownLevels), "unknown-passes")
    yield broken(_gate(FailsUnknownLevels), "unknown-passes")
    yield broken(_gate(SaysNothing), "no-reason")
    yield broken(_gate(NeverPasses), "never-passes")


def _gate(build: type[Judge]) -> Gate:
    return Gate(
        name=build.__name__,
        build=build,
        levels=tuple(NEEDED),
        unknown=("fossilise",),
        complete=_complete,
        lacking=_lacking,
        judge=lambda built, level, evidence: built.judge(level, evidence),
        passed=lambda result: result.passed,
        reasons=lambda result: result.reasons,
        promises=[promise("gate-evidence")],
    )


def _complete(level: str) -> Evidence:
    return dict.fromkeys(NEEDED[level], 1.0)


def _lacking(level: str) -> dict[str, Evidence]:
    return {
        missing: {name: 1.0 for name in NEEDED[level] if name != missing}
        for missing in NEEDED[level]
    }
