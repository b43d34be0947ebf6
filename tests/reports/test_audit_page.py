"""`audit.md`: what to do first, each finding once by its cause, and a header that counts what was not looked at."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.audit_runs import GOOD, HASATTR, audit, write
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import (
    EvidenceLevel,
    Finding,
    Impact,
    NotAnalysed,
    Occurrence,
    ProbeEvidence,
    Severity,
)
from esper_audit.project.config import find_project
from esper_audit.reports.audit.causes import causes_of
from esper_audit.reports.pages import Reports
from esper_audit.rules.catalogue import CheckCatalogue

STRICT = 'profile = "strict"\n'


def catalogue() -> CheckCatalogue:
    return CheckCatalogue([], "", [])


def an_audit(*findings: Finding, not_analysed: tuple[NotAnalysed, ...] = ()) -> Audit:
    return Audit(
        root="",
        findings=list(findings),
        suppressed=[],
        not_analysed=list(not_analysed),
        files=2,
        checks=[HASATTR],
        off=[],
        checked={"model.py": frozenset({HASATTR})},
    )


def page(folder: Path, result: Audit, checks: CheckCatalogue | None = None) -> str:
    """Return `audit.md` of an audit."""
    Reports(str(folder)).write(result, {}, checks or catalogue(), [])
    return (folder / "audit.md").read_text(encoding="utf-8")


def finding(line: int, **changes: object) -> Finding:
    return msgspec.structs.replace(a_finding(line=line, fingerprint=f"{line:016x}"), **changes)


def test_each_finding_is_listed_once_below_its_cause(tmp_path: Path) -> None:
    others = finding(40, check="silent-except", contract="errors-surface", message="except: pass")
    text = page(tmp_path, an_audit(finding(3), finding(9), others))
    findings = text.partition("## Findings")[2].partition("## Contracts")[0]
    assert re.findall(r"^### (.*)$", findings, re.MULTILINE) == [
        f"Findings of {HASATTR}",
        "Findings of silent-except",
    ]
    assert findings.count("model.py#L3)") == findings.count("model.py#L9)") == 1
    assert findings.count("model.py#L40)") == 1


def test_the_most_urgent_cause_comes_first() -> None:
    many = [finding(line) for line in range(3, 9)]
    severe = finding(50, check="silent-except", contract="errors-surface", severity=Severity.P1)
    first, second = causes_of([*many, severe], catalogue())
    assert (first.check, second.check) == ("silent-except", HASATTR)


@pytest.mark.parametrize(
    ("urgent", "other"),
    [
        ({"standing": EvidenceLevel.CONFIRMED}, {}),
        ({}, {"standing": EvidenceLevel.REFUTED}),
        (
            {"impact": Impact(Occurrence.MANIFEST, "")},
            {"impact": Impact(Occurrence.UNREFERENCED, "")},
        ),
    ],
    ids=["confirmed", "refuted", "manifest"],
)
def test_what_is_proven_and_met_is_read_first(
    urgent: dict[str, object], other: dict[str, object]
) -> None:
    (cause,) = causes_of([finding(3, **other), finding(9, **urgent)], catalogue())
    assert [one.location.line for one in cause.findings] == [9, 3]


def test_the_words_on_impact_and_evidence_are_explained_where_they_occur(tmp_path: Path) -> None:
    evidence = ProbeEvidence("causality[host]", "fail", "x", "x")
    latent = finding(3, impact=Impact(Occurrence.LATENT, "7 calls pass it; latent"))
    confirmed = finding(9, standing=EvidenceLevel.CONFIRMED, probed=(evidence,))
    text = page(tmp_path, an_audit(latent, confirmed))
    assert "- *latent*: no call meets it today" in text
    assert "- *confirmed*: " in text
    assert "*manifest*" not in text
    assert "*refuted*" not in text


def test_a_place_is_a_link_from_the_folder_of_the_reports_to_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"a dir/mo|del.py": GOOD})
    text = page(tmp_path / "reports", audit(tmp_path))
    link = re.search(r"\]\((\.\./[^)]*)#L2\)", text)
    assert link is not None
    assert link[1] == "../a%20dir/mo%7Cdel.py"


def test_the_header_counts_every_cell_that_was_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"esper-audit.toml": STRICT, "a.py": "def f(:\n"})
    checks = CheckCatalogue.of_project(find_project([str(tmp_path)]))
    text = page(tmp_path / "reports", audit(tmp_path), checks)
    header = text.partition("## What first")[0]
    numbers = re.search(
        r"Matrix of (\d+) cells: 0 hold, 0 broken, (\d+) cells not looked at", header
    )
    assert numbers is not None
    assert "no probe has run: 0 findings" in header
    assert numbers[1] == numbers[2]
    table = text.partition("| Contract | What must hold")[2].partition("## Probes")[0]
    cells = [cell for row in table.splitlines() for cell in row.split(" | ")[2:4]]
    unseen = [cell for cell in cells if re.match(r"not looked at|off|unavailable", cell)]
    assert len(unseen) == int(numbers[2])


def test_a_contract_of_which_a_check_is_ignored_does_not_hold(tmp_path: Path) -> None:
    configuration = f'{STRICT}ignore = ["constant-generator"]\n'
    write(tmp_path, {"esper-audit.toml": configuration, "a.py": "x = 1\n"})
    checks = CheckCatalogue.of_project(find_project([str(tmp_path)]))
    text = page(tmp_path / "reports", audit(tmp_path), checks)
    row = re.search(r"^\| \[random-streams\].*$", text, re.MULTILINE)
    assert row is not None
    assert "| off: `constant-generator` |" in row[0]
    assert "- Off by the configuration: " in text


def test_what_was_not_analysed_is_listed(tmp_path: Path) -> None:
    text = page(tmp_path, an_audit(not_analysed=(NotAnalysed("a.py", "does not parse", line=4),)))
    assert "1 not looked at" in text.partition("## What first")[0]
    assert "- a.py:4: does not parse" in text
