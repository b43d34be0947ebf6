"""The code of a case: a block loses the indentation of the rule around it, a plain string is exact."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from esper_audit.project.submodules import PACKAGE
from esper_audit.rules.code_block import dedent_block
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Invalid, Valid
from esper_audit.rules.rule_modules import CASES_SUFFIX
from esper_audit.rules.tree_rule import ValidTree

SHELVES = [Path(PACKAGE) / "rules" / shelf for shelf in ("file", "tree")]
RULE_FILES = sorted(
    path for shelf in SHELVES for path in shelf.rglob("*.py") if path.name != "__init__.py"
)
LONG = 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        "def f():\n    return 1\n",
        "\nx = 1\n",
        "    x\n",
        "\n\n\n",
        "if x:\n    y\nz\n",
    ],
)
def test_a_plain_string_is_returned_unchanged(text: str) -> None:
    assert dedent_block(text) == text


def test_a_block_loses_its_first_line_break_and_its_indentation() -> None:
    block = """
        class A:

            def f(self):
                return 1
        """
    assert dedent_block(block) == "class A:\n\n    def f(self):\n        return 1\n"


def test_the_closing_quotes_may_be_indented_less_or_end_the_last_line() -> None:
    assert dedent_block("\n        x = 1\n    ") == "x = 1\n"
    assert dedent_block("\n        x = 1") == "x = 1"


def test_a_block_keeps_the_blank_lines_it_begins_with_except_the_first() -> None:
    assert dedent_block("\n\n    x = 1\n    ") == "\nx = 1\n"


def test_a_multiline_string_in_a_block_is_dedented_with_the_code_around_it() -> None:
    block = '''
        def f():
            """F.

            Args: none.
            """
        '''
    assert dedent_block(block) == 'def f():\n    """F.\n\n    Args: none.\n    """\n'


def test_every_code_of_a_case_may_be_a_block() -> None:
    block = "\n        x = 1\n        y = 2\n        "
    code = "x = 1\ny = 2\n"
    assert Valid("v", block).code == code
    invalid = Invalid("i", block, (), fixed=block)
    assert (invalid.code, invalid.fixed) == (code, code)
    assert Invalid("i", block, ()).fixed is None
    assert ValidTree("t", {"a.py": block, "b.py": code}).files == {"a.py": code, "b.py": code}


def test_cases_are_located_beside_their_rule_and_are_no_rule() -> None:
    registry = RuleRegistry()
    rules = {*registry.rules, *registry.tree_ids}
    beside = [path for path in RULE_FILES if path.stem.endswith(CASES_SUFFIX)]
    assert beside
    for path in beside:
        assert path.with_name(f"{path.stem.removesuffix(CASES_SUFFIX)}.py").is_file()
        assert path.stem.replace("_", "-") not in rules


def test_cases_of_more_than_two_hundred_lines_have_a_file_of_their_own() -> None:
    long = {path.stem: case_lines(path) for path in RULE_FILES}
    assert {
        stem: lines
        for stem, lines in long.items()
        if lines > LONG and not stem.endswith(CASES_SUFFIX)
    } == {}


def test_code_of_several_lines_is_written_as_a_block() -> None:
    """A literal that spells two line breaks is a case that does not read as code."""
    spelled = [
        f"{path.stem}, line {node.lineno}"
        for path in RULE_FILES
        for cases in case_assignments(path)
        for node in ast.walk(cases)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.count("\n") > 1 and not is_block(path, node)
    ]
    assert spelled == []


def case_assignments(path: Path) -> list[ast.Assign]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("VALID", "INVALID")
    ]


def is_block(path: Path, literal: ast.Constant) -> bool:
    written = ast.get_source_segment(path.read_text(encoding="utf-8"), literal) or ""
    return written.startswith(('"""', "'''"))


def case_lines(path: Path) -> int:
    return sum((node.end_lineno or 0) - node.lineno + 1 for node in case_assignments(path))
