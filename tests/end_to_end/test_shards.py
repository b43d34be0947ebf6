"""`--shard I/N` and `merge`: the merged report is that of one machine, and a missing part is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, command, write
from support.probed_project import project as probed_project

from esper_audit.findings.shard import Shard, parse_shard

# Slow: every part is a run of its own.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3"])
def test_what_names_no_part_is_refused(text: str) -> None:
    assert parse_shard(text) is None
    ran = command("check", "--shard", text)
    assert (ran.status, "expected I/N such as 2/4" in ran.err) == (2, True)


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_every_item_is_in_one_part(total: int) -> None:
    items = list(range(10))
    parts = [Shard(number, total).of(items) for number in range(1, total + 1)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_merged_report_is_that_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"good{i}.py": GOOD for i in range(5)} | {"odd.py": "def f(:\n", "clean.py": CLEAN}
    write(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        shard = (
            "--shard",
            f"{number}/3",
            "--format",
            "part",
            "--output-file",
            f"part-{number}.json",
        )
        assert command("check", *shard).status in (0, 1, 3)
    for style in ("text", "json", "sarif", "junit"):
        whole = command("check", "--format", style)
        merged = command("merge", "part-3.json", "part-1.json", "part-2.json", "--format", style)
        assert merged == whole
    assert whole.status == 3


def test_a_part_that_is_missing_or_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.py": GOOD})
    monkeypatch.chdir(tmp_path)
    command("check", "--shard", "1/3", "--format", "part", "--output-file", "part-1.json")
    ran = command("merge", "part-1.json")
    assert (ran.status, "(got 1, expected 1 to 3)" in ran.err) == (2, True)
    command("check", "--format", "json", "--output-file", "whole.json")
    ran = command("merge", "whole.json")
    assert (ran.status, "whole.json: no part of an audit" in ran.err) == (2, True)


@pytest.mark.torch
def test_probes_in_parts_find_what_they_find_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(probed_project(tmp_path))
    for number in (1, 2):
        shard = (
            "--shard",
            f"{number}/2",
            "--format",
            "part",
            "--output-file",
            f"part-{number}.json",
        )
        command("probe", *shard)
    whole = command("probe", "--format", "junit")
    merged = command("merge", "part-1.json", "part-2.json", "--format", "junit")
    assert whole.status == 1
    assert sorted(merged.out.splitlines()) == sorted(whole.out.splitlines())
