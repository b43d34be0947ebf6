"""Each row of the two tables of mutants names one place of `esper_ref` that exists."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("table", ["mutants.toml", "reference_mutants.toml"])
def test_each_mutant_changes_one_place(table: str) -> None:
    text = (ROOT / "benchmarks" / table).read_text(encoding="utf-8")
    rows = tomllib.loads(text)["mutant"]
    assert rows
    counts = {
        row["name"]: (ROOT / "esper_ref" / row["file"])
        .read_text(encoding="utf-8")
        .count(row["was"])
        for row in rows
    }
    assert {name: count for name, count in counts.items() if count != 1} == {}
