"""The guide to writing a rule keeps its word: its example loads, and speaks and is quiet where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esper_audit.engine import Engine
from esper_audit.rule import Invalid, Valid
from esper_audit.shelf import discover
from esper_audit.source import Source, parse

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-rule.md"


@pytest.fixture
def engine_and_cases(tmp_path: Path) -> tuple[Engine, list[Valid | Invalid]]:
    example = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    file = tmp_path / "bare_print.py"
    file.write_text(example[1], encoding="utf-8")
    rule = discover([str(file)])["bare-print"]
    return Engine([rule()]), [*rule.VALID, *rule.INVALID]


def test_the_example_of_the_guide_is_a_rule_that_works(
    engine_and_cases: tuple[Engine, list[Valid | Invalid]],
) -> None:
    engine, cases = engine_and_cases
    for case in cases:
        source = parse("case.py", case.code.encode())
        assert isinstance(source, Source)
        found = engine.analyse(source).findings
        expected = case.expected if isinstance(case, Invalid) else ()
        assert tuple((f.location.line, f.message) for f in found) == expected
