"""Budgets of a file: its lines, its lines of code where it is a rule or a probe, its cases."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.source_files import (
    Documented,
    SourceFile,
    case_lines,
    is_case_assignment,
    offences,
    package_files,
    snippet,
)

MOST_LINES = 300
MOST_CASE_LINES = 200
MOST_LINES_OF_CODE = {
    "esper_audit/rules/file": 120,
    "esper_audit/rules/tree": 120,
    "esper_audit/probes/catalogue": 100,
    "esper_ref/blueprints": 100,
}


def long_files(file: SourceFile) -> Iterator[str]:
    if file.is_case_list:
        return
    count = len(file.text.splitlines()) - case_lines(file)
    if count > MOST_LINES:
        yield f"{file.path}: {count} lines without cases (at most {MOST_LINES})"


def long_case_lists(file: SourceFile) -> Iterator[str]:
    count = case_lines(file)
    if count > MOST_CASE_LINES and not file.is_case_list:
        yield f"{file.path}: {count} lines of cases (at most {MOST_CASE_LINES})"


def long_rules_and_probes(file: SourceFile) -> Iterator[str]:
    limit = code_limit(file)
    if not limit or file.is_case_list:
        return
    count = lines_of_code(file)
    if count > limit:
        yield f"{file.path}: {count} lines of code (at most {limit})"


def code_limit(file: SourceFile) -> int:
    """Return how many lines of code a file of its shelf may have; 0 for a file on no shelf."""
    folders = [file.folder, *(parent.as_posix() for parent in file.path.parent.parents)]
    return next((MOST_LINES_OF_CODE[name] for name in folders if name in MOST_LINES_OF_CODE), 0)


def lines_of_code(file: SourceFile) -> int:
    """Return the lines without cases, docstrings, imports, comments and blank lines."""
    passive = {number for node in file.nodes for number in passive_lines(node)}
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in passive
        for number, line in enumerate(file.text.splitlines(), 1)
    )


def passive_lines(node: ast.AST) -> range:
    """Return the lines of a node that a reader does not follow step by step."""
    passive: ast.stmt | None = None
    if isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.stmt) and is_case_assignment(node)
    ):
        passive = node
    elif isinstance(node, Documented) and ast.get_docstring(node):
        passive = node.body[0]
    return range(passive.lineno, (passive.end_lineno or 0) + 1) if passive else range(0)


def test_a_file_has_at_most_300_lines_without_cases() -> None:
    found = offences(long_files, package_files())
    assert not found, f"move an idea to a file named for it:\n{found}"


def test_a_file_of_301_lines_is_reported() -> None:
    text = "x = 1\n" * 301
    cases = "class A:\n    VALID = (\n" + "        1,\n" * 300 + "    )\n"
    assert "301 lines" in offences(long_files, [snippet(text)])
    assert not offences(long_files, [snippet(cases)])
    assert not offences(long_files, [snippet(text, "esper_audit/rules/file/x/y_cases.py")])


def test_more_than_200_lines_of_cases_have_a_file_of_their_own() -> None:
    found = offences(long_case_lists, package_files("esper_audit"))
    assert not found, f"move the cases to `<rule>_cases.py`:\n{found}"


def test_a_rule_with_203_lines_of_cases_is_reported() -> None:
    cases = "class A:\n    INVALID: ClassVar = [\n" + "        1,\n" * 201 + "    ]\n"
    assert "203 lines of cases" in offences(long_case_lists, [snippet(cases)])
    assert not offences(long_case_lists, [snippet(cases, "esper_audit/rules/tree/y_cases.py")])


def test_a_rule_a_probe_and_a_blueprint_keep_to_their_lines_of_code() -> None:
    found = offences(long_rules_and_probes, package_files())
    assert not found, f"move what the code knows to a file named for it:\n{found}"


def test_each_shelf_with_a_limit_of_its_own_is_there() -> None:
    measured = {code_limit(file) for file in package_files()}
    assert measured == {0, *MOST_LINES_OF_CODE.values()}
    for shelf in MOST_LINES_OF_CODE:
        files = [f for f in package_files() if f.folder.startswith(shelf)]
        assert len(files) > 5, f"{shelf}: {len(files)} files; is the shelf elsewhere?"


def test_a_rule_of_121_lines_of_code_is_reported_in_any_family() -> None:
    text = '"""Imports, docstrings and comments are not counted."""\nimport ast\n# why\n\n'
    rule = "esper_audit/rules/file/norms/a_rule.py"
    long = snippet(text + "x = 1\n" * 121, rule)
    assert "121 lines of code (at most 120)" in offences(long_rules_and_probes, [long])
    assert not offences(long_rules_and_probes, [snippet(text + "x = 1\n" * 120, rule)])
    assert not offences(long_rules_and_probes, [snippet("x = 1\n" * 121)])
