"""`deep-dive.md`: grades by the printed formula, what is open in order, what holds, and the graph of changes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Category, Finding, Impact, Occurrence, Severity
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.findings.reached_package import ReachedPackage, UntestedPlace
from esper_audit.reports.contract_states import contract_states
from esper_audit.reports.deep_dive.analysed_files import about, analysed_files
from esper_audit.reports.deep_dive.change_graph import change_graph
from esper_audit.reports.deep_dive.grades import LETTERS, POINTS, area_grades, formula
from esper_audit.reports.deep_dive.strengths import strengths
from esper_audit.reports.pages import Reports
from esper_audit.reports.repair import instruction_in
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.tickets.parts import FixOption, Related, Relation, TicketLocation
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

CATALOGUE = CheckCatalogue([], "", [])
NODE = re.compile(r'^    t\d+\["[^"`<>]*"\]$')
EDGE = re.compile(r"^    t\d+ --> t\d+$")
STYLE = re.compile(r"^    (classDef resolved stroke-dasharray: 4 4|class t\d+ resolved)$")


def record(verdict: Verdict, contract: str = "causal-mask", subject: str = "host") -> ProbeRecord:
    return ProbeRecord(
        unit=f"causality[{subject}]",
        probe="causality",
        contract=contract,
        subject=subject,
        state="",
        severity=Severity.P1,
        category=Category.CORRECTNESS,
        verdict=verdict,
        code="x",
        message="x",
    )


def an_audit(*findings: Finding, records: list[ProbeRecord] | None = None, root: str = "") -> Audit:
    checks = sorted(CATALOGUE.rule_contracts)
    return Audit(
        root=root,
        findings=list(findings),
        suppressed=[],
        not_analysed=[],
        files=1,
        checks=checks,
        off=[],
        checked={"model.py": frozenset(checks)},
        records=records or [],
    )


def ticket(name: str, **changes: object) -> Ticket:
    made = Ticket(
        id=name,
        title=f"The title of {name}",
        status=Status.OPEN,
        severity=Severity.P2,
        created="2026-01-02",
        categories=[Category.CORRECTNESS],
        locations=[TicketLocation(path="model.py", lines="12-15")],
        summary="It is wrong.",
    )
    return msgspec.structs.replace(made, **changes)


def page(folder: Path, audit: Audit, *tickets: Ticket) -> str:
    """Return `deep-dive.md` of an audit."""
    Reports(str(folder)).write(audit, {one.id: one for one in tickets}, CATALOGUE, [])
    return (folder / "deep-dive.md").read_text(encoding="utf-8")


def grades(audit: Audit) -> dict[str, str]:
    states = contract_states(audit, CATALOGUE)
    found = area_grades(states, CATALOGUE.contracts, audit)
    return {grade.area: grade.letter for grade in found}


@pytest.mark.parametrize("severity", list(Severity))
def test_the_worst_finding_of_a_contract_takes_its_points_from_its_area_alone(
    severity: Severity,
) -> None:
    clean = grades(an_audit())
    findings = [a_finding(line=line) for line in (3, 9)]
    worst = msgspec.structs.replace(findings[0], severity=severity)
    broken = grades(an_audit(worst, *findings[1:]))
    points = max(POINTS[severity], POINTS[findings[1].severity])
    assert broken["Code quality"] == next(x for least, x in LETTERS if 100 - points >= least)
    assert clean["Code quality"] == "A"
    assert {**broken, "Code quality": "A"} == clean


def test_a_failed_probe_lowers_the_grade_even_without_a_finding() -> None:
    assert grades(an_audit(records=[record(Verdict.FAIL)]))["Correctness"] == "C"


def test_an_area_that_was_not_looked_at_has_no_grade() -> None:
    audit = msgspec.structs.replace(an_audit(), checks=[], checked={})
    assert set(grades(audit).values()) == {"not graded"}


def test_the_formula_prints_every_number_that_it_uses(tmp_path: Path) -> None:
    text = page(tmp_path, an_audit())
    printed = "\n".join(f"- {line}" for line in formula())
    assert printed in text
    for number in (*POINTS.values(), *(least for least, _ in LETTERS if least)):
        assert re.search(rf"\b{number}\b", printed)


def test_what_is_open_comes_by_severity_with_tickets_that_no_check_reports(tmp_path: Path) -> None:
    severe = ticket("T-1", severity=Severity.P1, fix=[FixOption(option="Mask it.")])
    closed = ticket("T-2", status=Status.FIXED)
    text = page(tmp_path, an_audit(a_finding()), severe, closed)
    assert re.findall(r"^### (1\.\d P\d) ", text, re.MULTILINE) == ["1.1 P1", "1.2 P3"]
    assert "NEEDS WORK: a P1 finding is open" in text
    assert "[`model.py:12-15`](../model.py#L12)" in text
    first, _, third = text.partition("### Priority 1")[2].partition("### Priority 3")
    assert "| The title of T-1 |" in first
    assert "| Mask it. |" in first
    assert "unauthorised-hasattr" in third
    assert "The title of T-2" not in text


def test_a_cause_with_many_findings_shows_some_and_counts_the_others(tmp_path: Path) -> None:
    findings = [a_finding(line=line, fingerprint=f"{line:016x}") for line in range(1, 41)]
    text = page(tmp_path, an_audit(*findings))
    assert text.count("**Location:**") == 3
    assert "- 25 more: [audit.md](audit.md#findings-of-unauthorised-hasattr)" in text
    assert "(40 findings)" in text


def test_only_what_was_decided_is_a_strength() -> None:
    def of(verdict: Verdict) -> dict[str, int]:
        audit = an_audit(records=[record(Verdict.PASS, subject="other"), record(verdict)])
        held = strengths(contract_states(audit, CATALOGUE), CATALOGUE.contracts, audit)
        return {one.contract: one.units for one in held}

    assert of(Verdict.PASS)["causal-mask"] == 2
    assert of(Verdict.EXPECTED_FAIL)["causal-mask"] == 1
    assert "causal-mask" not in of(Verdict.INCONCLUSIVE)
    assert "causal-mask" not in of(Verdict.FAIL)
    assert of(Verdict.FAIL)["host-norm-guard"] == 0  # by its rule alone


def test_the_graph_has_an_edge_for_each_link_between_tickets_once() -> None:
    blocking = ticket(
        "A",
        title='Say "<b>`now`" [or] #never',
        related=[Related(id="B", relation=Relation.BLOCKS), Related(id="X", relation="blocks")],
    )
    blocked = ticket(
        "B", status=Status.FIXED, related=[Related(id="A", relation=Relation.BLOCKED_BY)]
    )
    graph = change_graph({"A": blocking, "B": blocked, "C": ticket("C")})
    assert graph[0] == "flowchart TD"
    assert all(NODE.match(line) or EDGE.match(line) or STYLE.match(line) for line in graph[1:])
    assert [line for line in graph if "-->" in line] == ["    t0 --> t1"]
    assert "    class t1 resolved" in graph
    assert not change_graph({"C": ticket("C")})


def test_few_files_are_listed_with_their_purpose_and_many_by_folder(tmp_path: Path) -> None:
    names = [f"lib/part{part}/m{number}.py" for part in range(3) for number in range(30)]
    few = an_audit(root=str(tmp_path))
    few = msgspec.structs.replace(few, checked=dict.fromkeys(names[:40], frozenset()))
    assert [row.path for row in analysed_files(few)] == sorted(names[:40])
    names += ["lib/__init__.py", "lib/part0/__init__.py", "top.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'# x\n"""The {name}.\n\nMore.\n"""\nx = 1\n')
    audit = an_audit(a_finding(path="lib/part1/m3.py"), root=str(tmp_path))
    audit = msgspec.structs.replace(audit, checked=dict.fromkeys(names, frozenset()))
    rows = analysed_files(audit)
    assert sum(row.files for row in rows) == len(names)
    assert len(rows) <= 40
    by_path = {row.path: row for row in rows}
    assert by_path["lib/part1/"].findings == 1
    assert by_path["lib/part0/"].purpose == "The lib/part0/__init__.py."
    assert by_path["top.py"].lines == 6
    assert [about(number) for number in (0, 7, 93, 135, 33_952)] == [0, 7, 93, 140, 34_000]


def test_the_page_is_the_same_whatever_the_order_of_the_tickets(tmp_path: Path) -> None:
    tickets = [ticket(name) for name in "CAB"]
    first = page(tmp_path, an_audit(a_finding()), *tickets)
    assert page(tmp_path, an_audit(a_finding()), *reversed(tickets)) == first
    assert str(tmp_path) not in first


def test_gaps_of_the_tests_are_named_the_emptiest_folder_first(tmp_path: Path) -> None:
    gaps = [UntestedPlace("lib/a.py", line, f"f{line}") for line in range(1, 6)]
    tested = [ReachedPackage("lib", 9, gaps), ReachedPackage("other", 4, [])]
    impact = Impact(Occurrence.MANIFEST, "7 calls; no test reaches it; manifest")
    audit = an_audit(msgspec.structs.replace(a_finding(), impact=impact))
    text = page(tmp_path, msgspec.structs.replace(audit, tested=[*reversed(tested)]))
    section = text.partition("## 3. Test Coverage")[2].partition("## 4.")[0]
    assert "Tests reach 8 of 13 public functions and classes" in section
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows[0].startswith("| `lib/` | 4 of 9 | [`f1`](../lib/a.py#L1), ")
    assert rows[0].endswith(", 2 more |")
    assert rows[1] == "| `other/` | 4 of 4 |  |"
    assert "no test reaches:** [`model.py:3`](../model.py#L3)" in section
    assert "The tests were not looked at." in page(tmp_path, an_audit())


@pytest.mark.parametrize(
    ("message", "instruction"),
    [
        ("the log underflows to 0: use `log_softmax`", "Use `log_softmax`."),
        ("`eval()` stays on. Call `model.train()` after it", "Call `model.train()` after it."),
        ("replaces 0 by 0.99. Test `self.decay is None`", "Test `self.decay is None`."),
        ("`x` is always true: line 175 already tests it", ""),
        ("a ratio of 0.5 is unbounded", ""),
    ],
)
def test_a_recommendation_is_what_the_message_tells(message: str, instruction: str) -> None:
    assert instruction_in(message) == instruction


def test_a_tree_without_tests_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    gaps = [UntestedPlace("a.py", line, f"f{line}") for line in (1, 2)]
    audit = msgspec.structs.replace(an_audit(), tested=[ReachedPackage("", 2, gaps)])
    section = page(tmp_path, audit).partition("## 3. Test Coverage")[2].partition("## 4.")[0]
    assert (
        section.strip() == "No test in this tree reaches one of the 2 public functions and classes."
    )
