"""A local rule whose cases do not hold is refused, and `esper-audit rule --test` shows each case."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.audit_runs import command, write
from support.local_rules import RAISES, SPEAKS, rule_source, with_rule

GOOD = '((1, "old is called"),)'
INVALID = f'Invalid("the call", "old(1)\\n", {GOOD})'
FILE = "house/no_old.py"
BROKEN = {
    "an INVALID case with a line outside its code": (GOOD, '((7, "old is called"),)', "on line 7"),
    "an INVALID case that expects nothing": (GOOD, "()", "it expects no finding"),
    "an INVALID case that does not parse": ('"old(1)\\n"', '"old(1\\n"', "its code does not parse"),
    "a VALID case that does not parse": ('"new(1)\\n"', '"new(1\\n"', "its code does not parse"),
    "an INVALID case with too many columns": (
        GOOD,
        f"{GOOD}, columns=(1, 5)",
        "it has 2 columns for 1 findings",
    ),
    "a fix that does not parse": (
        INVALID,
        INVALID.replace(GOOD, f'{GOOD}, fixed="new(\\n"'),
        "its fixed code does not parse",
    ),
    "a VALID case among the INVALID ones": (INVALID, 'Valid("x", "y\\n")', "INVALID holds Valid"),
}
FAILING = {
    "an INVALID case with a wrong line": (
        f'"old(1)\\n", {GOOD}',
        '"new(1)\\nold(1)\\n", ((1, "old is called"),)',
        ["expected  line 1: old is called", "got       line 2: old is called"],
    ),
    "an INVALID case with another message": (
        GOOD,
        '((1, "old is made"),)',
        ["expected  line 1: old is made", "got       line 1: old is called"],
    ),
    "an INVALID case with another column": (
        GOOD,
        f"{GOOD}, columns=(5,)",
        [
            "expected  column 5 of line 1: old is called",
            "got       column 1 of line 1: old is called",
        ],
    ),
    "a VALID case with a finding": (
        '"new(1)\\n"',
        '"old(1)\\n"',
        ["expected  no finding", "got       line 1: old is called"],
    ),
    "a fix that is not the one expected": (
        GOOD,
        f'{GOOD}, fixed="new(1)\\n"',
        ["the fix differs from `fixed`. It gives:", "old(1)"],
    ),
    "a trigger that does not start the rule": (
        'calls=frozenset({"old"})',
        'calls=frozenset({"gone"})',
        ["expected  line 1: old is called", "got       no finding"],
    ),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_rule_on_libcst_without_reach_is_refused(tmp_path: Path) -> None:
    with_rule(tmp_path, "no-old")
    source = rule_source("no-old", base="CstRule").replace("    reach = Reach.STATEMENT\n", "")
    write(tmp_path, {FILE: source, "a.py": "x = 1\n"})
    ran = command("check")
    assert (ran.status, ran.out) == (2, "")
    assert "rule no-old: `reach` is missing" in ran.err


def project(root: Path, old: str = "", new: str = "", body: str = SPEAKS) -> None:
    """Write a project with a local rule, in the source of which `old` is `new`."""
    with_rule(root, "no-old", body)
    source = rule_source("no-old", body)
    assert not old or source.count(old) == 1
    write(root, {FILE: source.replace(old, new) if old else source, "a.py": "x = 1\n"})


def test_a_rule_whose_cases_hold_runs_and_passes_its_test(tmp_path: Path) -> None:
    project(tmp_path)
    assert command("check", "--no-cache").status == 0
    ran = command("rule", "--test", FILE)
    assert ran.status == 0
    assert ran.out == (
        "no-old\n  passed  VALID    another call\n  passed  INVALID  the call\n\n"
        "2 cases: 2 passed, 0 failed\n"
    )


@pytest.mark.parametrize(("old", "new", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_rule_with_a_broken_case_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    project(tmp_path, old, new)
    for arguments in (("check",), ("rule", "--test", FILE)):
        ran = command(*arguments)
        assert (ran.status, ran.out) == (2, "")
        assert "rule no-old: " in ran.err
        assert reason in ran.err


@pytest.mark.parametrize(("old", "new", "lines"), FAILING.values(), ids=FAILING)
def test_a_case_that_fails_is_shown_by_the_test(
    tmp_path: Path, old: str, new: str, lines: list[str]
) -> None:
    project(tmp_path, old, new)
    ran = command("rule", "--test", FILE)
    assert ran.status == 1
    assert "failed" in ran.out
    shown = [line.strip() for line in ran.out.splitlines()]
    assert [line for line in lines if line not in shown] == []
    assert "2 cases: 1 passed, 1 failed" in ran.out


@pytest.mark.parametrize(("old", "new", "lines"), FAILING.values(), ids=FAILING)
def test_a_check_refuses_a_rule_with_a_case_that_fails(
    tmp_path: Path, old: str, new: str, lines: list[str]
) -> None:
    project(tmp_path, old, new)
    for _ in range(2):  # the second answer is cached
        ran = command("check")
        assert (ran.status, ran.out) == (2, "")
        assert "1 of 2 cases of its rules fail, such as the " in ran.err
        assert "house/no_old.py`" in ran.err


def test_a_repaired_rule_is_accepted(tmp_path: Path) -> None:
    project(tmp_path, GOOD, '((1, "old is made"),)')
    assert command("check").status == 2
    project(tmp_path)
    assert command("check").status == 0


def test_a_rule_that_raises_is_status_3(tmp_path: Path) -> None:
    project(tmp_path, body=RAISES)
    ran = command("rule", "--test", FILE)
    assert ran.status == 3
    assert "raised  INVALID  the call" in ran.out
    assert "the rule raised ValueError: cannot think in check, line" in ran.out
    assert command("check").status == 0


def test_a_tree_rule_is_tested_on_its_trees(tmp_path: Path) -> None:
    rule = (
        "from esper_audit import Category, InvalidTree, Severity, TreeRule, ValidTree\n\n\n"
        "class Named(TreeRule):\n"
        '    """A module is called x.\n\n    What: a.\n\n    Why: b.\n\n    Quiet: c.\n\n'
        '    Tickets: real code\n    """\n\n'
        "    contract = 'no-dead-code'\n    category = Category.DEAD_CODE\n    severity = Severity.P4\n"
        "    VALID = (ValidTree('another', {'a.py': 'y = 1\\n'}),)\n"
        "    INVALID = (InvalidTree('it', {'p/x.py': 'y = 1\\n'}, (('p/x.py', 1, 'called y'),)),)\n\n"
        "    def check(self, tree):\n"
        "        for unit in tree.index.modules():\n"
        "            if unit.path.endswith('x.py'):\n"
        "                yield tree.at_node(unit.path, tree.source(unit.path).tree.body[0], 'called x')\n"
    )
    write(tmp_path, {"pyproject.toml": "", "house/named.py": rule})
    ran = command("rule", "--test", "house/named.py")
    assert ran.status == 1
    assert "expected  p/x.py, line 1: called y\n" in ran.out
    assert "got       p/x.py, line 1: called x\n" in ran.out
    write(tmp_path, {"house/named.py": rule.replace("called y", "called x")})
    assert command("rule", "--test", "house/named.py").status == 0


def test_an_edit_in_the_same_second_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    project(tmp_path)
    statuses = []
    for said in ("old", "new"):
        body = f'yield Violation(node, "{said} is called")'
        rule = rule_source("no-old", body, message="old is called")
        write(tmp_path, {FILE: rule})
        os.utime(tmp_path / FILE, (1, 1))
        statuses.append(command("rule", "--test", FILE).status)
    assert statuses == [0, 1]


def test_a_file_that_is_missing_or_an_id_beside_the_file_is_status_2(tmp_path: Path) -> None:
    project(tmp_path)
    assert command("rule", "--test", "house/gone.py").status == 2
    ran = command("rule", "no-old", "--test", FILE)
    assert ran.status == 2
    assert "take no ID (got 'no-old')" in ran.err


@pytest.mark.parametrize(
    ("body", "idle"),
    [
        ("if not node.args:\n    return\n" + SPEAKS, ["not node.args"]),
        ("if node.args and node.lineno:\n    " + SPEAKS, ["node.args", "node.lineno"]),
        (
            "if node.args[0].value != 1:\n    raise ValueError\n" + SPEAKS,
            ["node.args[0].value != 1"],
        ),
        ('if file.code(node) == "old(1)":\n    ' + SPEAKS, []),
        ("while True:\n    if node.args:\n        break\n" + SPEAKS, []),
    ],
    ids=["a guard", "parts of a condition", "an error", "a condition with a case", "a loop"],
)
def test_a_condition_that_no_case_needs_is_named(
    tmp_path: Path, body: str, idle: list[str]
) -> None:
    body = body.format(call="old")
    with_rule(tmp_path, "no-old", body, message="old is called")
    extra = 'Valid("another call", "new(1)\\n"), Valid("other arguments", "old(2)\\n")'
    source = rule_source("no-old", body, message="old is called")
    if not idle and "code" in body:
        source = source.replace('Valid("another call", "new(1)\\n")', extra)
    write(tmp_path, {FILE: source})
    ran = command("rule", "--test", FILE, "--drop-conditions")
    named = [line.partition("without `")[2].rstrip("`") for line in ran.out.splitlines()]
    assert ([one for one in named if one], ran.status) == (idle, int(bool(idle))), ran.out


def test_dropping_conditions_needs_a_file() -> None:
    ran = command("rule", "--drop-conditions")
    assert (ran.status, "--drop-conditions needs --test FILE" in ran.err) == (2, True)
