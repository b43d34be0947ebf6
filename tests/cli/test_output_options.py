"""What `check` shows of its findings, in which order, how wide, and where it writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, Ran, audit, command, write

from esper_audit.project.config import find_project
from esper_audit.reports.formats.text import styled_audit
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.terminal import UNLIMITED, cut_to_screen, laid_out_for, wrapped

SWALLOWED = (
    "def load():\n    try:\n        return 1 / 0\n    except Exception:\n        return None\n"
)
HEAD = re.compile(r"^(\S+):\d+:\d+ (P\d) \S+")


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a tree with three P3 in two files, two of them equal, and a P2 in the last."""
    write(tmp_path, {"a.py": GOOD + GOOD.replace("cut", "off"), "b.py": GOOD, "z.py": SWALLOWED})
    monkeypatch.chdir(tmp_path)


def heads(ran: Ran) -> list[tuple[str, str]]:
    return [found.groups() for line in ran.out.splitlines() if (found := HEAD.match(line))]


def test_the_most_severe_finding_is_first_then_the_place_decides() -> None:
    assert heads(command("check")) == [("z.py", "P2"), ("a.py", "P3"), ("b.py", "P3")]


def test_equal_findings_of_a_file_are_one_with_their_lines() -> None:
    out = command("check", "a.py").out
    assert out.count(f"P3 {HASATTR}") == 1
    assert "\n  and 1 more like it, at line 5\n" in out
    assert "\n2 findings (2 P3) in 1 of 1 file; " in out


def test_equal_findings_of_two_files_are_two() -> None:
    assert [path for path, _ in heads(command("check", "a.py", "b.py"))] == ["a.py", "b.py"]


def test_findings_below_a_severity_are_counted_and_do_not_fail() -> None:
    assert heads(command("check", "--severity", "P2")) == [("z.py", "P2")]
    ran = command("check", "--severity", "P2", "a.py", "b.py")
    assert ran.status == 0
    assert "No findings in 2 files, 3 less severe left out; " in ran.out


def test_max_findings_keeps_the_most_severe_and_counts_the_others() -> None:
    ran = command("check", "--max-findings", "1")
    assert (ran.status, heads(ran)) == (1, [("z.py", "P2")])
    assert ", 3 more beyond --max-findings; " in ran.out
    run = json.loads(command("check", "--max-findings", "1", "--format", "json").out)
    assert ([f["severity"] for f in run["findings"]], run["beyond_maximum"]) == (["P2"], 3)


def test_exit_zero_hides_no_finding_and_no_error(tmp_path: Path) -> None:
    ran = command("check", "--exit-zero")
    assert (ran.status, len(heads(ran))) == (0, 3)
    write(tmp_path, {"odd.py": "def f(:\n"})
    assert command("check", "--exit-zero").status == 3
    assert command("check", "--exit-zero", "--severity", "P9").status == 2


def test_statistics_count_by_check_in_place_of_the_findings() -> None:
    ran = command("check", "--statistics")
    assert heads(ran) == []
    rows = [line.split() for line in ran.out.splitlines() if " P3 " in line or " P2 " in line]
    assert rows[:2] == [["1", "1", "0", "P2", "silent-except"], ["3", "2", "0", "P3", HASATTR]]
    refused = command("check", "--statistics", "--format", "json")
    assert refused.status == 2
    assert "--statistics counts in text (got json)" in refused.err


def test_an_output_file_gives_the_format_and_leaves_the_summary(tmp_path: Path) -> None:
    ran = command("check", "--output-file", "out/report.json")
    assert ran.status == 1
    assert ran.out.startswith("4 findings (1 P2, 3 P3) in 3 of 3 files; ")
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["findings"]) == 4
    command("check", "--output-file", "report.sarif.json")
    assert json.loads((tmp_path / "report.sarif.json").read_text())["version"] == "2.1.0"
    command("check", "--output-file", "report.sarif", "--format", "text")
    assert HEAD.match((tmp_path / "report.sarif").read_text())


def test_an_output_file_is_written_though_nothing_changed(tmp_path: Path) -> None:
    for _ in range(2):
        command("check", "--output-file", "report.txt")
        (tmp_path / "report.txt").unlink()


def test_a_file_name_of_no_format_is_an_error() -> None:
    ran = command("check", "--output-file", "report.xyz")
    assert (ran.status, ran.out) == (2, "")
    assert "(got 'report.xyz', expected one of .json, .jsonl, .md, .sarif, .txt, .xml)" in ran.err


def test_an_unknown_format_is_an_error_with_a_suggestion() -> None:
    ran = command("check", "--format", "jsn")
    assert ran.status == 2
    assert "unknown format 'jsn'; did you mean 'json'?" in ran.err


@pytest.mark.parametrize("arguments", [(), ("empty",)])
def test_a_directory_without_python_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    write(tmp_path / "other", {"empty/notes.txt": ""})
    monkeypatch.chdir(tmp_path / "other")
    ran = command("check", *arguments)
    assert ran.status == 3
    assert f"  {arguments[0] if arguments else '.'}: holds no Python file to check\n" in ran.out


def test_a_directory_beside_one_with_python_is_named_too(tmp_path: Path) -> None:
    write(tmp_path, {"empty/notes.txt": "", "full/a.py": CLEAN})
    ran = command("check", "empty", "full")
    assert (ran.status, ran.not_looked_at) == (3, ["empty: holds no Python file to check"])


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_prose_and_code_fit_the_terminal(columns: int) -> None:
    with laid_out_for(columns):
        text = wrapped("word " * 60, "  ")
        code = cut_to_screen("x = " + "1" * 200, 12)
    assert max(map(len, text.splitlines())) <= min(columns, 100)
    assert len(code) == columns - 12
    assert code.endswith("...")


def test_code_is_whole_where_the_output_is_no_terminal() -> None:
    with laid_out_for(UNLIMITED):
        assert cut_to_screen("1" * 200, 12) == "1" * 200
        assert max(map(len, wrapped("word " * 60, "").splitlines())) <= 80


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_line_of_a_report_fits_the_terminal(columns: int) -> None:
    long = "def a_function_with_a_rather_long_name(host):\n" + GOOD.split("\n", 1)[1]
    write(Path.cwd(), {"package/with/some/folders/a_module_with_a_long_name.py": long})
    project = find_project([str(Path.cwd())])
    result = audit(Path.cwd())
    with laid_out_for(columns):
        text = "".join(
            part.text for part in styled_audit(result, CheckCatalogue.of_project(project))
        )
    *lines, summary = text.splitlines()
    assert max(map(len, lines)) <= columns
    assert summary.startswith("5 findings (1 P2, 4 P3) in 4 of 4 files; ")
    assert "a_module_with_a_long_name.py:2:8" in text
