"""`check --timing` reports what each rule cost, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

from support.audit_runs import GOOD, HASATTR, run, write


def test_timing_reports_a_line_for_each_rule_that_ran(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD, "b.py": GOOD})
    timed, plain = run(tmp_path, "check", "--timing"), run(tmp_path, "check")
    assert timed.status == plain.status
    assert "Time of the rules" not in plain.out
    table = timed.out.partition("Time of the rules\n")[2].partition("\n\n")[0].splitlines()
    rows = {row.split()[-1]: row.split()[1:3] for row in table[1:]}
    assert rows[HASATTR] == ["2", "2"]


def test_timing_is_in_json_only_on_request(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    timed = json.loads(run(tmp_path, "check", "--timing", "--format", "json").out)
    plain = json.loads(run(tmp_path, "check", "--format", "json").out)
    (timing,) = [one for one in timed.pop("timings") if one["check"] == HASATTR]
    assert (timing["files"], timing["candidates"]) == (1, 1)
    assert timing["seconds"] >= 0
    assert timed == plain
