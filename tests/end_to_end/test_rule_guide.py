"""The guide to writing a rule keeps its word: its examples load, and speak and are quiet where they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.audit_runs import audit, write

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.rules.registry import RuleRegistry, discover
from esper_audit.rules.rule import Invalid, Valid
from esper_audit.rules.tree_rule import InvalidTree
from esper_audit.source.syntax.source import Source, parse

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-rule.md"


@pytest.fixture
def examples(tmp_path: Path) -> list[Path]:
    """Write the examples of the guide into files named for their rules."""
    found = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    files = []
    for example in found:
        name = re.search(r"The rule `([\w-]+)`", example)
        if name is None:  # a fixture of a rule
            continue
        files.append(tmp_path / "house" / f"{name[1].replace('-', '_')}.py")
        write(tmp_path, {str(files[-1].relative_to(tmp_path)): example})
    return files


def test_the_example_of_the_guide_is_a_rule_that_works(examples: list[Path]) -> None:
    rule = discover([str(examples[0])])["bare-print"]
    prefilter = TriggerTable.of([rule()])
    cases: list[Valid | Invalid] = [*rule.VALID, *rule.INVALID]
    for case in cases:
        source = parse("case.py", case.code.encode())
        assert isinstance(source, Source)
        found = check_source(source, prefilter).findings
        expected = case.expected if isinstance(case, Invalid) else ()
        assert tuple((f.location.line, f.message) for f in found) == expected


def test_its_example_of_a_tree_rule_works_in_a_project(
    examples: list[Path], tmp_path: Path
) -> None:
    rule = RuleRegistry([str(examples[1])]).tree_rules["discarded-result"]
    for number, case in enumerate((*rule.VALID, *rule.INVALID)):
        root = tmp_path / str(number)
        configuration = f"[tool.esper-audit]\nprofile = 'strict'\nlocal-rules = ['{examples[1]}']\n"
        write(root, {"pyproject.toml": configuration, **case.files})
        found = audit(root, select=["discarded-result"]).findings
        expected = case.expected if isinstance(case, InvalidTree) else ()
        assert tuple((f.location.path, f.location.line, f.message) for f in found) == expected
