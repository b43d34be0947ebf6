"""Probing a project: crashes cost one subject, and each failure is a finding at the failing class."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from support.audit_runs import TODAY, command, write
from support.probed_project import CONFIGURATION, EXPECT, SUBJECTS, project

from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import EvidenceLevel
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.session import ProbeRequest, run_probes
from esper_audit.project.config import find_project
from esper_audit.workflow.run import run

# Slow: each test probes a project in the sandbox, with modules that hang and crash.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

LEAKING = "causality[leaking@birth]"


def probed(root: Path, *subjects: str, start: str = "fork", today: str = TODAY) -> Audit:
    request = ProbeRequest(subjects=list(subjects), workers=2, today=today)
    request = msgspec.structs.replace(request, start=start)
    return audit_subjects(find_project([str(root)]), request)


def verdicts(records: list[ProbeRecord]) -> dict[str, Verdict]:
    return {r.unit: r.verdict for r in records if r.verdict is not Verdict.NOT_APPLICABLE}


@pytest.fixture(scope="module")
def sound_and_leaking(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return probed(project(tmp_path_factory.mktemp("project")))


def test_every_promise_has_a_verdict_and_every_other_probe_a_reason(
    sound_and_leaking: Audit,
) -> None:
    found = verdicts(sound_and_leaking.records)
    assert found["causality[sound@birth]"] is Verdict.PASS
    assert found[LEAKING] is Verdict.FAIL
    assert {v for u, v in found.items() if u != LEAKING} == {Verdict.PASS}
    others = [r for r in sound_and_leaking.records if r.verdict is Verdict.NOT_APPLICABLE]
    assert {"the subject does not promise it"} < {r.message for r in others}


def test_a_failure_is_one_finding_at_the_class_that_fails(sound_and_leaking: Audit) -> None:
    (finding,) = sound_and_leaking.findings
    assert (finding.location.path, finding.location.symbol) == ("library.py", "Leaking")
    assert finding.excerpt.startswith("class Leaking(nn.Module):")
    assert (finding.check, finding.contract) == ("causality", "causal-mask")
    assert finding.standing is EvidenceLevel.MEASURED
    assert [evidence.unit for evidence in finding.probed] == [LEAKING]
    assert sound_and_leaking.exit_status == 1


def test_the_sandbox_can_start_processes_afresh(tmp_path: Path, sound_and_leaking: Audit) -> None:
    spawned = probed(project(tmp_path), "leaking", start="spawn")
    assert verdicts(spawned.records)[LEAKING] is Verdict.FAIL
    (finding,) = spawned.findings
    assert finding == sound_and_leaking.findings[0]


def test_a_subject_that_crashes_hangs_or_exits_costs_only_itself(tmp_path: Path) -> None:
    configuration = (
        '[tool.esper-audit]\nsubjects = ["contracts/subjects.py:hostile"]\n'
        "[tool.esper-audit.probing]\nseconds = 2\n"
    )
    root = find_project([str(project(tmp_path, configuration))])
    audit = audit_subjects(root, ProbeRequest(workers=1, today=TODAY))
    records = {r.unit: r for r in audit.records}
    for name, code in (("dies", "killed"), ("hangs", "timeout"), ("leaves", "exited")):
        built = records[f"build[{name}@birth]"]
        assert (built.verdict, built.code) == (Verdict.NO_VERDICT, code)
        assert records[f"causality[{name}@birth]"].verdict is Verdict.BLOCKED_BY
    assert (tmp_path / "hung.txt").read_text() == "once "
    assert records["eval-determinism[before@birth]"].verdict is Verdict.PASS
    assert records["causality[after@birth]"].verdict is Verdict.PASS
    assert {n.check for n in audit.not_analysed} == {"build"}
    assert len(audit.not_analysed) == 3
    assert audit.exit_status == 3


def test_a_subjects_file_that_cannot_be_imported_is_reported_as_not_analysed(
    tmp_path: Path,
) -> None:
    project(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.esper-audit]\nsubjects = ["contracts/broken.py:subjects", '
        '"contracts/subjects.py:subjects"]\n'
    )
    write(tmp_path, {"contracts/broken.py": "import os\nos._exit(0)\n"})
    audit = probed(tmp_path)
    (missed,) = audit.not_analysed
    assert missed.path == "contracts/broken.py"
    assert "exited with status 0 and without a verdict" in missed.reason
    assert verdicts(audit.records)[LEAKING] is Verdict.FAIL
    assert audit.exit_status == 3


def test_an_invalid_subjects_file_is_reported_with_its_error(tmp_path: Path) -> None:
    audit = probed(project(tmp_path), "contracts/none.py:subjects")
    (missed,) = audit.not_analysed
    assert missed.reason == "contracts/none.py:subjects: there is no file contracts/none.py"
    assert audit.exit_status == 3


def test_a_promise_without_a_unit_is_reported_as_not_analysed(tmp_path: Path) -> None:
    audit = probed(project(tmp_path), "contracts/subjects.py:nothing_to_run")
    (missed,) = audit.not_analysed
    assert missed.reason == (
        "causality[stateless] is promised but results in no unit. Declare a state for it"
    )


def test_an_expected_failure_is_one_by_its_code_only(tmp_path: Path) -> None:
    audit = probed(project(tmp_path, CONFIGURATION + EXPECT))
    assert verdicts(audit.records)[LEAKING] is Verdict.EXPECTED_FAIL
    assert (audit.findings, audit.exit_status) == ([], 0)
    other = EXPECT.replace('["altered", "prefix", "gradient"]', '"no-such-detector"')
    audit = probed(project(tmp_path, CONFIGURATION + other))
    assert verdicts(audit.records)[LEAKING] is Verdict.FAIL
    assert audit.exit_status == 1


def test_an_outdated_expectation_is_a_finding(tmp_path: Path) -> None:
    outlived = EXPECT.replace('"leaking"', '"sound"')
    audit = probed(project(tmp_path, CONFIGURATION + outlived))
    assert verdicts(audit.records)["causality[sound@birth]"] is Verdict.UNEXPECTED_PASS
    stale = [f for f in audit.findings if f.check == "unused-suppression"]
    assert ["the promise is kept" in f.message for f in stale] == [True]
    assert stale[0].location.path == "pyproject.toml"
    assert stale[0].excerpt == "[[tool.esper-audit.expect]]"


def test_an_unmatched_and_an_expired_expectation_are_findings(tmp_path: Path) -> None:
    unmatched = EXPECT.replace('"leaking"', '"nobody"')
    past = EXPECT + 'until = "2026-01-01"\n'
    audit = probed(project(tmp_path, CONFIGURATION + unmatched + past))
    found = {f.check: f.message for f in audit.findings}
    assert "no subject makes this promise" in found["unused-suppression"]
    assert "expired on 2026-01-01" in found["expired-suppression"]
    assert verdicts(audit.records)[LEAKING] is Verdict.FAIL


SUSPECTS = """

class CausalBlock(Leaking):
    def forward(self, x):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v)


class CausalOneByOne(Leaking):
    def forward(self, x):
        q, k, v = self.project(x).unsqueeze(2).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v).squeeze(2)


class CausalUnasked(CausalBlock):
    def forward(self, x):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v)
"""


def test_rule_and_probe_make_one_finding_with_two_kinds_of_evidence(tmp_path: Path) -> None:
    subjects = SUBJECTS.replace("Leaking, Sound", "CausalBlock, CausalOneByOne")
    subjects = subjects.replace('"sound", Sound', '"one-by-one", CausalOneByOne')
    subjects = subjects.replace('"leaking", Leaking', '"block", CausalBlock')
    root = project(tmp_path, subjects=subjects.partition("def dies")[0])
    write(root, {"library.py": (root / "library.py").read_text() + SUSPECTS})
    done = run(find_project([str(root)]), CheckRequest(today=TODAY, cache=False))
    found = {f.location.symbol: f for f in done.audit.findings}
    assert {f.check for f in found.values()} == {"attention-without-causal-mask"}
    assert found["CausalBlock.forward"].standing is EvidenceLevel.CONFIRMED
    assert found["CausalOneByOne.forward"].standing is EvidenceLevel.REFUTED
    assert found["CausalUnasked.forward"].standing is EvidenceLevel.SUSPECTED
    page = (root / "reports/audit.md").read_text()
    assert "confirmed by `causality[block@birth]`" in page
    assert "**broken**: 1 of [2](#probes)" in page


def test_the_command_prints_the_failure_its_place_and_a_reproducer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path))
    ran = command("probe")
    assert ran.status == 1
    assert ran.out.startswith("library.py:9:1 P0 causality in Leaking\n")
    assert "causality 1 pass, 1 FAIL" in " ".join(ran.out.split())
    assert "subject = subject_of('contracts/subjects.py:subjects', 'leaking')" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 120
    assert command("probe", "sound").status == 0
    assert command("probe", "--probe", "eval-determinism").status == 0


def test_a_reproducer_runs_when_pasted_in_the_root_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = probed(project(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    exec(audit.findings[0].probed[0].reproducer, {})
    assert float(capsys.readouterr().out.split()[1]) > 0.0


@pytest.mark.parametrize("style", ["json", "sarif", "github"])
def test_other_formats_carry_the_finding(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path))
    ran = command("probe", "--format", style)
    assert ran.status == 1
    assert "library.py" in ran.out
    if style == "json":
        content = json.loads(ran.out)
        assert content["findings"][0]["probed"][0]["unit"] == LEAKING
        assert LEAKING in {record["unit"] for record in content["probes"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "'nobody' is no path, declared subject or importable package"),
        (("--probe", "telepathy"), "unknown probe 'telepathy'"),
        (("--probe", "causalty"), "did you mean 'causality'?"),
    ],
)
def test_an_unknown_name_is_an_error_with_a_suggestion(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path))
    ran = command("probe", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_an_expectation_excuses_the_detectors_that_it_names_alone(
    sound_and_leaking: Audit, tmp_path: Path
) -> None:
    record = next(r for r in sound_and_leaking.records if r.unit == LEAKING)
    excused, *others = [failure.code for failure in record.failures]
    assert (excused, others) == ("altered", ["prefix", "gradient"])
    one = EXPECT.replace('["altered", "prefix", "gradient"]', f'"{excused}"')
    rest = probed(project(tmp_path, CONFIGURATION + one))
    kept = next(r for r in rest.records if r.unit == LEAKING)
    assert (kept.verdict, kept.code) == (Verdict.FAIL, "prefix")
    assert [failure.code for failure in kept.failures] == others


def test_a_probe_is_not_selected_by_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    ran = command("check", "--select", "causality")
    assert ran.status == 2
    assert "causality is a probe: `esper-audit probe` runs it" in ran.err


def test_results_are_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    root = find_project([str(project(tmp_path))])
    one, two = (run_probes(root, ProbeRequest(workers=n, today=TODAY)).records for n in (1, 2))
    assert one == two
