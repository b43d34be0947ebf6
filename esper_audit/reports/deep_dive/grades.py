"""Grades of the areas of a code base, computed from the matrix of contracts by a formula that the page prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import Contract
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Verdict
from esper_audit.reports.contract_states import ContractState, ContractStates
from esper_audit.text.markdown import count, listed

AREAS: Mapping[str, frozenset[Category]] = {
    "Correctness": frozenset(
        {Category.CORRECTNESS, Category.NUMERICAL_STABILITY, Category.RACE_CONDITION}
    ),
    "PyTorch use": frozenset(
        {Category.TORCH_COMPILE, Category.PERFORMANCE, Category.MEMORY_RESOURCE}
    ),
    "Interfaces": frozenset({Category.API_CONTRACT, Category.DOCUMENTATION}),
    "Code quality": frozenset(
        {Category.DEAD_CODE, Category.DEFENSIVE_PROGRAMMING, Category.LEGACY_POLICY}
    ),
    "Tests": frozenset({Category.TEST_COVERAGE}),
}
POINTS: Mapping[Severity, int] = {
    Severity.P0: 40,
    Severity.P1: 25,
    Severity.P2: 12,
    Severity.P3: 5,
    Severity.P4: 2,
}
LETTERS = (
    (93, "A"),
    (90, "A-"),
    (87, "B+"),
    (83, "B"),
    (80, "B-"),
    (77, "C+"),
    (73, "C"),
    (70, "C-"),
    (60, "D"),
    (0, "F"),
)
LEAST_SHARE = 0.25  # of the cells of an area that a grade needs
NO_GRADE = "not graded"
SEEN = frozenset({ContractState.HOLDS, ContractState.BROKEN})
DUE = SEEN | {ContractState.NOT_LOOKED_AT, ContractState.OFF, ContractState.UNAVAILABLE}


class AreaGrade(msgspec.Struct, frozen=True):
    """The grade of an area, with the contracts that took points, the worst first.

    `seen` of the `due` cells of the matrix were looked at, `probed` of them by probes. Not due are cells
    that are not applicable, or of a policy that the project did not adopt.
    """

    area: str
    score: int
    broken: list[tuple[Severity, str]]
    seen: int
    due: int
    probed: int

    @property
    def letter(self) -> str:
        """The grade as a letter, or that there is none where too little was looked at."""
        if not self.due or self.seen < LEAST_SHARE * self.due:
            return NO_GRADE
        return next(letter for least, letter in LETTERS if self.score >= least)

    @property
    def sentence(self) -> str:
        """What took points, and how much was looked at."""
        if not self.due:
            return "No contract of this area is adopted and applies."
        if not self.seen:
            return f"None of {count(self.due, 'cell')} was looked at."
        looked = f"{self.seen:,} of {count(self.due, 'cell')} looked at"
        looked += "." if self.probed else ", by rules alone."
        if not self.broken:
            return f"No contract is broken; {looked}"
        broken = [f"[{name}](audit.md#{name}) ({severity})" for severity, name in self.broken]
        return f"{count(len(broken), 'contract')} broken: {listed(broken)}; {looked}"


def area_grades(
    states: Sequence[ContractStates], contracts: Mapping[str, Contract], audit: Audit
) -> list[AreaGrade]:
    """Return the grade of every area that has contracts."""
    return [
        _grade(area, [one for one in states if contracts[one.id].category in categories], audit)
        for area, categories in AREAS.items()
    ]


def formula() -> list[str]:
    """Return how a grade is computed, with all numbers, one sentence a line."""
    points = ", ".join(f"{severity} {lost}" for severity, lost in POINTS.items())
    letters = ", ".join(f"{letter} from {least}" for least, letter in LETTERS if least)
    return [
        f"score = 100 - the points of each broken contract of the area, by its most severe finding: {points}",
        f"grade = {letters}, else {LETTERS[-1][1]}",
        f"{NO_GRADE}: an area of which less than {LEAST_SHARE:.0%} of the cells were looked at",
        "several findings of one contract count once, accepted and authorised ones do not",
    ]


def _grade(area: str, states: Sequence[ContractStates], audit: Audit) -> AreaGrade:
    cells = [(one.id, cell) for one in states for cell in (one.by_rules, one.by_probes) if cell]
    broken_ids = {name for name, cell in cells if cell is ContractState.BROKEN}
    broken = sorted((_severity(name, audit), name) for name in broken_ids)
    score = 100 - sum(POINTS[severity] for severity, _ in broken)
    seen = sum(cell in SEEN for _, cell in cells)
    due = sum(cell in DUE for _, cell in cells)
    probed = sum(one.by_probes in SEEN for one in states)
    return AreaGrade(area, max(0, score), broken, seen, due, probed)


def _severity(contract: str, audit: Audit) -> Severity:
    """Return the severity of the worst finding of a broken contract, or of its worst failed unit."""
    found = [finding.severity for finding in audit.findings if finding.contract == contract]
    failed = [
        record.severity
        for record in audit.records
        if record.contract == contract and record.verdict in (Verdict.FAIL, Verdict.UNEXPECTED_PASS)
    ]
    return min(found or failed)
