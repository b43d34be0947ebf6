"""Each output format holds the result of a run: text, JSON, GitHub annotations, SARIF."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, Ran, command, write
from support.local_rules import with_rule

from esper_audit.findings.audit import Audit
from esper_audit.reports.formats.text import summary

COLUMNS = 80
MESSAGE = "odd %0A, 100%: a\\nb\\r,c"
FIX = "yield Violation(node, 'old is old', Replacement(node.func, 'new', True, 'call new'))"
SCHEMA = "sarif-schema-2.1.0.json"
ALLOWED = f"# esper-audit: allow-file {HASATTR} by Ada until 2999-01-01 -- hosts of others\n{GOOD}"


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a tree with everything there is: findings, a fix, an authorisation, a file that does not parse."""
    with_rule(tmp_path, "old-call", FIX)
    files = {"a b.py": f"{GOOD}old(1)\n", "twice.py": GOOD + GOOD, "allowed.py": ALLOWED}
    write(tmp_path, {**files, "odd.py": "\ndef f(:\n", "clean.py": CLEAN})
    monkeypatch.chdir(tmp_path)


ENCODED = "holds its code as encoded data, which no rule can read"


def output(style: str) -> Ran:
    ran = command("check", "--format", style)
    assert ran.status == 3
    return ran


def test_text_frames_the_line_and_underlines_the_place() -> None:
    lines = output("text").out.splitlines()
    at = lines.index(f"a b.py:2:8 P3 {HASATTR} in cut")
    assert lines[at + 2 : at + 5] == [
        "        1 | def cut(host):",
        '  >     2 |     if hasattr(host, "segments"):',
        "          |        ^^^^^^^^^^^^^^^^^^^^^^^^^",
    ]


def test_text_names_contracts_fixes_and_what_was_not_looked_at() -> None:
    out = output("text").out
    assert "  fix (--fix): call new\n" in out
    assert "\nContracts broken\n  no-hasattr (1) esper-audit rule old-call\n" in out
    assert f"  no-hasattr (3) esper-audit rule {HASATTR}\n" in out
    assert "\n    No hasattr/getattr type checks: use a Protocol or authorise the check." in out
    assert "\nNot looked at\n  odd.py:2: does not parse: " in out
    last = out.splitlines()[-1]
    assert last.startswith(
        "4 findings (1 P2, 3 P3) in 2 of 5 files, 1 authorised, 1 NOT LOOKED AT; "
    )


def test_text_names_some_of_many_files_that_were_not_looked_at_for_one_reason() -> None:
    encoded = f"__guard__({'x' * 2000!r})\n"
    write(Path.cwd(), {f"guarded{i}.py": encoded for i in range(9)})
    named = output("text").not_looked_at
    assert named[:2] == [f"guarded{i}.py: {ENCODED}" for i in range(2)]
    assert named[5] == f"and 4 more: {ENCODED}"
    assert named[6].startswith("odd.py:2: does not parse")
    assert "10 NOT LOOKED AT" in output("text").out


def test_text_of_our_own_fits_eighty_columns() -> None:
    *lines, summary = output("text").out.splitlines()
    ours = [line for line in lines if " | " not in line]
    assert [line for line in ours if len(line) > COLUMNS] == []
    assert len(ours) > 10
    assert "checks on" in summary


def test_text_underlines_wide_and_tabbed_lines_in_place(tmp_path: Path) -> None:
    write(tmp_path, {"tab.py": 'def f(h):\n\tx = 1; y = hasattr(h, "s")\n'})
    lines = command("check", "tab.py").out.splitlines()
    assert '  >     2 | \tx = 1; y = hasattr(h, "s")' in lines
    assert "          | \t           " + "^" * 15 in lines


def test_json_holds_everything() -> None:
    run = json.loads(output("json").out)
    assert (run["version"], run["exit_status"], run["files"]) == (1, 3, 5)
    assert [f["check"] for f in run["findings"]].count(HASATTR) == 3
    assert run["findings"][0]["location"] | {"end_column": 0} == {
        "path": "a b.py",
        "line": 2,
        "column": 8,
        "end_line": 2,
        "end_column": 0,
        "symbol": "cut",
    }
    assert [s["suppression"]["owner"] for s in run["suppressed"]] == ["Ada"]
    assert [n["path"] for n in run["not_analysed"]] == ["odd.py"]
    assert {"old-call", HASATTR} <= set(run["checks"])
    assert (run["hidden_by_since"], run["excluded_by_configuration"]) == (0, [])


def test_json_holds_the_fix_and_its_safety() -> None:
    run = json.loads(output("json").out)
    (edit,) = [f["edit"] for f in run["findings"] if f["edit"]]
    assert (edit["text"], edit["safe"], edit["description"]) == ("new", True, "call new")


def test_github_says_the_worst_first_and_what_was_not_looked_at_before() -> None:
    lines = output("github").out.splitlines()
    assert lines[0].startswith("::error file=odd.py,line=2,title=not looked at::")
    assert lines[1].startswith("::warning file=a b.py,line=4,endLine=4,col=1,title=P2 old-call::")
    assert lines[-1].startswith("esper-audit: 4 findings, 1 authorised, 1 not looked at, 5 files")


def test_github_gets_nothing_it_could_misread(tmp_path: Path) -> None:
    body = f'yield Violation(node, "{MESSAGE}")'
    with_rule(tmp_path, "old-call", body, message=ast.literal_eval(f'"{MESSAGE}"'))
    write(tmp_path, {"a,b:c%d.py": "old(1)\n"})
    line = next(line for line in output("github").out.splitlines() if "a%2Cb" in line)
    assert line.startswith("::warning file=a%2Cb%3Ac%25d.py,line=1,")
    assert line.endswith("::odd %250A, 100%25: a%0Ab%0D,c")


def test_githubs_tenth_says_how_many_it_will_not_show(tmp_path: Path) -> None:
    write(tmp_path, {f"m{i}.py": GOOD for i in range(10)})
    lines = output("github").out.splitlines()
    warnings = [line for line in lines if line.startswith("::warning")]
    assert warnings[9].endswith("::5 more are not shown here; the log lists all of them")
    assert len(warnings) == 4 + 10 + 1
    assert sum(line.startswith("::error") for line in lines) == 1


def sarif() -> Any:
    """Return the one run of the log."""
    log = json.loads(output("sarif").out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return run


def test_sarif_is_valid_by_the_official_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    beside = Path(__file__).parents[3] / "shared" / "schemas"
    schema = Path(os.environ.get("ESPER_AUDIT_SCHEMAS", beside)) / SCHEMA
    if not schema.is_file():
        pytest.skip(f"no {schema}; set ESPER_AUDIT_SCHEMAS to a directory that holds {SCHEMA}")
    log = json.loads(output("sarif").out)
    errors = jsonschema.Draft7Validator(json.loads(schema.read_text())).iter_errors(log)
    assert [error.message for error in errors] == []


def test_sarif_places_are_relative_and_quoted() -> None:
    artifacts = [
        location["physicalLocation"]["artifactLocation"]
        for result in sarif()["results"]
        for location in result["locations"]
    ]
    assert {"uri": "a%20b.py", "uriBaseId": "%SRCROOT%"} in artifacts
    assert all(not a["uri"].startswith(("/", "file:")) for a in artifacts)


def test_sarif_rules_explain_themselves_and_results_point_to_them() -> None:
    run = sarif()
    rules = run["tool"]["driver"]["rules"]
    assert all(r["help"]["text"] and r["shortDescription"]["text"] for r in rules)
    assert [r["id"] for r in rules] == sorted(r["id"] for r in rules)
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])


def test_sarif_fingerprints_tell_every_result_from_every_other() -> None:
    results = sarif()["results"]
    prints = [result["partialFingerprints"]["esperAudit/v1"] for result in results]
    assert len(prints) == len(set(prints)) == 5


def test_sarif_tells_who_authorised_what_and_why() -> None:
    (suppressions,) = [r["suppressions"] for r in sarif()["results"] if "suppressions" in r]
    justification = "hosts of others (Ada), until 2999-01-01"
    assert suppressions == [{"kind": "inSource", "justification": justification}]


def test_sarif_calls_an_exception_of_the_configuration_external(tmp_path: Path) -> None:
    entry = f"check = '{HASATTR}'\npath = 'twice.py'\nreason = 'agreed'\nowner = 'Ada'\n"
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write(f"[[tool.esper-audit.allow]]\n{entry}")
    kinds = [s["kind"] for r in sarif()["results"] for s in r.get("suppressions", [])]
    assert sorted(kinds) == ["external", "external", "inSource"]


def test_sarif_notifies_of_what_was_not_analysed() -> None:
    (invocation,) = sarif()["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("not analysed: odd.py:2: does not parse: ")
    assert notification["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}


def test_sarif_holds_the_fix() -> None:
    (fixes,) = [r["fixes"] for r in sarif()["results"] if "fixes" in r]
    (change,) = fixes[0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "new"}
    assert replacement["deletedRegion"] == {
        "startLine": 4,
        "startColumn": 1,
        "endLine": 4,
        "endColumn": 4,
    }


@pytest.mark.parametrize("style", ["json", "sarif"])
def test_a_run_over_nothing_is_still_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.chdir(tmp_path / "nothing")
    ran = command("check", "--format", style, ".")
    assert ran.status == 3
    assert isinstance(json.loads(ran.out), dict)


@pytest.mark.parametrize(
    ("files", "line"),
    [(0, "Nothing watched; 1 monitor on\n"), (1, "No findings in 1 file; 1 monitor on\n")],
)
def test_the_summary_of_a_watched_command_speaks_of_monitors(files: int, line: str) -> None:
    audit = Audit("", [], [], [], files=files, checks=["step-applied"], off=[])
    assert "".join(part.text for part in summary(audit)) == line
