"""Formats for other programs: each holds every finding, and what was not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, command, run, write

from esper_audit.project.distribution import check_page, home_page
from esper_audit.reports.formats.json import schema

REPOSITORY = Path(__file__).parents[2]
SWALLOWED = (
    "def load():\n    try:\n        return 1 / 0\n    except Exception:\n        return None\n"
)
REPORTER = "def render(audit, catalogue):\n    return f'{len(audit.findings)} by team city\\n'\n"


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a tree with a P2, two equal P3, a file that does not parse, and text that is odd for XML."""
    odd = 'def f(h):\n    return hasattr(h, "a<b&\\x01\x0b|c")\n'
    files = {"z.py": SWALLOWED, "a.py": GOOD + GOOD, "odd.py": odd, "no.py": "def f(:\n"}
    write(tmp_path, {**files, "clean.py": CLEAN})
    monkeypatch.chdir(tmp_path)


def output(style: str) -> str:
    ran = command("check", "--format", style)
    assert ran.status == 3
    return ran.out


def test_jsonl_has_a_line_for_each_thing_and_the_summary_last() -> None:
    lines = [json.loads(line) for line in output("jsonl").splitlines()]
    assert [line["kind"] for line in lines] == ["finding"] * 4 + ["not-analysed", "summary"]
    assert (lines[-1]["exit_status"], lines[-1]["findings"]) == (3, 4)
    assert lines[0]["check"] == HASATTR


def test_gitlab_gets_severities_lines_and_distinct_fingerprints() -> None:
    entries = json.loads(output("gitlab"))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 5
    by_path = {entry["location"]["path"]: entry for entry in entries}
    assert by_path["z.py"]["severity"] == "major"
    assert by_path["a.py"]["severity"] == "minor"
    assert by_path["no.py"]["check_name"] == "not-looked-at"
    assert by_path["z.py"]["location"]["lines"]["begin"] == 4


def test_junit_parses_and_has_a_failure_an_error_and_the_clean_checks() -> None:
    suites = ET.fromstring(output("junit"))
    assert (suites.get("failures"), suites.get("errors")) == ("4", "1")
    cases = list(suites.iter("testcase"))
    assert str(len(cases)) == suites.get("tests")
    failing = [case for case in cases if case.find("failure") is not None]
    assert failing[0].get("name") == "silent-except (line 4, column 5)"
    assert failing[0].get("file") == "z.py"
    clean = [case.get("name") for case in cases if len(case) == 0]
    assert "private-torch-api" in clean
    assert HASATTR not in clean
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)


def test_markdown_is_by_severity_and_folds_equal_findings() -> None:
    lines = output("markdown").splitlines()
    assert lines[0] == "## esper-audit"
    headings = [line for line in lines if line.startswith("### ")]
    assert headings == ["### P2", "### P3", "### Not looked at", "### Contracts broken"]
    (row,) = [line for line in lines if "`a.py:2`" in line]
    assert row.startswith(f"| `{HASATTR}` | `a.py:2` and 5 | ")
    assert all(line.count("|") - line.count("\\|") == 4 for line in lines if line.startswith("| `"))


def test_github_gives_each_severity_its_level_and_a_summary_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("# Before\n")
    lines = output("github").splitlines()
    assert [line.partition(" ")[0] for line in lines[:5]] == ["::error"] + ["::warning"] * 4
    assert "title=P2 silent-except::" in lines[1]
    written = (tmp_path / "summary.md").read_text()
    assert written.startswith("# Before\n## esper-audit\n\n4 findings (1 P2, 3 P3) in 3 of 5 files")


def test_sarif_names_its_version_its_home_and_the_page_of_each_rule() -> None:
    (one,) = json.loads(output("sarif"))["runs"]
    driver = one["tool"]["driver"]
    assert driver["version"]
    assert driver["informationUri"] == home_page() != ""
    assert f"Page: {check_page(HASATTR)}\n" in command("rule", HASATTR).out
    assert all(rule["helpUri"].endswith(f"/checks/{rule['id']}/") for rule in driver["rules"])
    assert one["automationDetails"] == {"id": "esper-audit/check/"}


def test_the_published_schema_is_that_of_the_output() -> None:
    published = json.loads((REPOSITORY / "docs" / "audit.schema.json").read_text())
    assert published == json.loads(json.dumps(schema()))


@pytest.mark.parametrize("arguments", [(), ("--impact",), ("--timing",)])
def test_json_is_valid_by_the_published_schema(arguments: tuple[str, ...]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads(command("check", "--format", "json", *arguments).out)
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(content)
    assert [error.message for error in errors] == []


def test_an_installed_package_can_offer_a_format(tmp_path: Path) -> None:
    site = tmp_path / "site"
    info = "their_reporter-1.0.dist-info"
    files = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: their-reporter\nVersion: 1.0\n",
        f"{info}/entry_points.txt": "[esper_audit.reporters]\nteamcity = their_reporter:render\n"
        "broken = their_reporter:nothing\n",
        "their_reporter.py": REPORTER,
    }
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    env = {"PYTHONPATH": str(site), "PYTHONSAFEPATH": ""}
    ran = run(tmp_path, "check", "--format", "teamcity", "a.py", env=env)
    assert (ran.status, ran.out) == (1, "2 by team city\n")
    broken = run(tmp_path, "check", "--format", "broken", "a.py", env=env)
    assert (broken.status, broken.out) == (2, "")
    assert "reporter broken does not load: their_reporter has no nothing" in broken.err
