"""Tree rules are selected, ignored, authorised and explained like other checks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.audit_runs import audit, command, run, write

from esper_audit.rules.registry import RuleRegistry

UNUSED = "from typing import TypedDict\n\n\nclass _Row(TypedDict):\n    x: int\n"
TREE = {
    "pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\n",
    "a.py": UNUSED,
    "lib/b.py": UNUSED.replace("_Row", "_Bar"),
}
SELECT = "--select=unused-type"


def places(ran_out: str) -> list[str]:
    """Return the places of the findings of `unused-type`."""
    return [
        line.split(" ")[0]
        for line in ran_out.splitlines()
        if " unused-type" in line and ":" in line[:12]
    ]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write(tmp_path, TREE))
    return tmp_path


def test_check_does_not_run_a_tree_rule_that_nobody_selected(tree: Path) -> None:
    ran = command("check", "--no-cache")
    assert ran.status == 0
    assert "No findings" in ran.out
    assert not set(RuleRegistry().tree_ids) & set(audit(tree).checks)


def test_check_runs_one_that_the_command_line_selects(tree: Path) -> None:
    ran = command("check", SELECT, "--no-cache")
    assert ran.status == 1
    assert places(ran.out) == ["a.py:4:7", "lib/b.py:4:7"]


def test_check_runs_those_that_are_on_by_default_where_the_whole_tree_is_asked_for(
    tree: Path,
) -> None:
    ran = command("check", "--whole-tree", "--no-cache")
    assert (ran.status, places(ran.out)) == (1, ["a.py:4:7", "lib/b.py:4:7"])
    ran = command("check", "--whole-tree", "--ignore", "unused-type", "--no-cache")
    assert (ran.status, places(ran.out)) == (0, [])


def test_check_runs_one_that_the_configuration_selects(tree: Path) -> None:
    write(tree, {"pyproject.toml": "[tool.esper-audit]\nselect = ['unused-type']\n"})
    assert len(places(command("check", "--no-cache").out)) == 2


def test_a_path_can_be_spared_or_chosen(tree: Path) -> None:
    table = "[[tool.esper-audit.per-path]]\npath = 'lib/'\n{} = ['unused-type']\n"
    write(tree, {"pyproject.toml": "[tool.esper-audit]\n" + table.format("ignore")})
    assert places(command("check", SELECT, "--no-cache").out) == ["a.py:4:7"]
    write(tree, {"pyproject.toml": "[tool.esper-audit]\n" + table.format("select")})
    assert places(command("check", "--no-cache").out) == ["lib/b.py:4:7"]


def test_some_paths_are_judged_by_the_whole_tree(tree: Path) -> None:
    write(tree, {"user.py": "from a import _Row\n\n_Row(x=1)\n"})
    assert places(command("check", "a.py", SELECT, "--no-cache").out) == []
    assert places(command("check", "lib", SELECT, "--no-cache").out) == ["lib/b.py:4:7"]


def test_standard_input_stands_in_for_its_file(tree: Path) -> None:
    ran = run(tree, "check", SELECT, "--stdin-filename", "a.py", stdin=b"from lib.b import _Bar\n")
    assert ran.status == 0
    ran = run(
        tree,
        "check",
        SELECT,
        "--stdin-filename",
        "lib/b.py",
        stdin=f"\n{TREE['lib/b.py']}".encode(),
    )
    assert places(ran.out) == ["lib/b.py:5:7"]


def test_a_comment_authorises_and_an_idle_one_is_found(tree: Path) -> None:
    allow = "# esper-audit: allow unused-type -- the wire format, read by another program\n"
    write(
        tree,
        {"a.py": UNUSED.replace("class _Row", f"{allow}class _Row"), "lib/b.py": f"{allow}x = 1\n"},
    )
    found = audit(tree, select=["unused-type", "unused-suppression"])
    assert [f.check for f in found.findings] == ["unused-suppression"]
    assert [s.finding.location.path for s in found.suppressed] == ["a.py"]
    assert audit(tree).findings == []


def test_an_exception_of_the_configuration_authorises(tree: Path) -> None:
    allow = "[[tool.esper-audit.allow]]\ncheck = 'unused-type'\npath = '*.py'\nreason = 'r'\nowner = 'o'\n"
    write(tree, {"pyproject.toml": f"[tool.esper-audit]\n{allow}"})
    found = audit(tree, select=["unused-type", "unused-suppression"])
    assert (found.findings, len(found.suppressed)) == ([], 2)
    assert audit(tree).findings == []


def test_a_part_that_a_file_may_read_which_does_not_parse_is_undecided(tree: Path) -> None:
    part = "from torch import nn\n\n\nclass Block(nn.Module):\n    def __init__(self):\n"
    write(tree, {"c.py": f"{part}        self.norm = nn.LayerNorm(2)\n", "bad.py": "def (norm\n"})
    result = audit(tree, select=["instantiated-never-used"])
    assert result.findings == []
    assert ("c.py", "cannot decide `Block` without bad.py") in {
        (problem.path, problem.reason) for problem in result.not_analysed
    }


def test_a_file_that_does_not_parse_leaves_its_words_undecided(tree: Path) -> None:
    write(tree, {"bad.py": "def (_Row\n"})
    found = audit(tree, select=["unused-type"])
    assert [f.location.path for f in found.findings] == ["lib/b.py"]
    assert [(n.path, n.check, n.reason) for n in found.not_analysed if n.check] == [
        ("a.py", "unused-type", "cannot decide `_Row` without bad.py")
    ]
    assert found.exit_status == 3


def test_run_runs_it_unasked_and_closes_its_ticket_when_it_is_gone(tree: Path) -> None:
    assert "2 opened" in command("run").out
    write(tree, {"a.py": UNUSED + "\n\nrow: _Row = {'x': 1}\n"})
    assert "1 fixed" in command("run").out


def test_run_closes_no_ticket_that_it_cannot_tell_of(tree: Path) -> None:
    command("run")
    write(tree, {"bad.py": "def (_Row\n"})
    ran = command("run")
    assert (ran.status, "0 fixed" in ran.out) == (3, True)


def test_a_line_put_above_changes_no_identity(tree: Path) -> None:
    before = [f.fingerprint for f in audit(tree, select=["unused-type"]).findings]
    write(tree, {"a.py": "import os\n\n" + UNUSED})
    assert [f.fingerprint for f in audit(tree, select=["unused-type"]).findings] == before


def test_since_tells_only_what_the_change_made_unused(tree: Path) -> None:
    write(tree, {"c.py": UNUSED.replace("_Row", "_New") + "\n\nnew: _New\n"})
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *identity, *arguments], cwd=tree, check=True)
    write(tree, {"a.py": f"x = 1\n{UNUSED}", "c.py": UNUSED.replace("_Row", "_New")})
    assert places(command("check", SELECT, "--since", "HEAD", "--no-cache").out) == ["c.py:4:7"]


def test_a_replayed_run_knows_when_another_file_has_changed(tree: Path) -> None:
    assert len(places(run(tree, "check", "lib", SELECT).out)) == 1
    write(tree, {"a.py": "from lib.b import _Bar\n\n_Bar(x=1)\n"})
    assert places(run(tree, "check", "lib", SELECT).out) == []


def test_it_is_listed_explained_and_reported(tree: Path) -> None:
    assert "unused-type" in command("rule").out
    explained = command("rule", "unused-type").out
    assert "needs the whole project" in explained
    assert "# a.py" in explained
    assert max(map(len, explained.splitlines())) <= 120
    assert "## unused-type" in command("rule", "--format", "markdown").out
    command("run")
    assert not (tree / "reports" / "rules.md").exists()


RULE = '''"""A tree rule of a project's own."""

from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree


class OwnTreeRule(TreeRule):
    """Own.

    What: it.

    Why: it.

    Quiet: it.

    Tickets: real code
    """

    id = "own"
    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P1
    VALID = (ValidTree("v", {"a.py": ""}),)
    INVALID = (InvalidTree("i", {"a.py": "_Row = 1\\n"}, (("a.py", 1, "own words"),)),)

    def check(self, tree):
        {body}
'''


def with_own(tree: Path, body: str) -> None:
    write(tree, {"house/own.py": RULE.replace("{body}", body), ".gitignore": "house/\n"})
    write(
        tree,
        {
            "pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\nlocal-rules = ['house/own.py']\n"
        },
    )


def test_a_project_has_tree_rules_of_its_own(tree: Path) -> None:
    with_own(tree, "yield tree.at_symbol(tree.index.symbols('_Row')[0], 'own words')")
    found = audit(tree, select=["own"])
    assert [(f.message, f.severity, f.location.symbol) for f in found.findings] == [
        ("own words", "P1", "_Row")
    ]


def test_a_tree_rule_that_raises_is_named_and_closes_nothing(tree: Path) -> None:
    with_own(tree, "yield tree.at_symbol(tree.index.symbols('_Row')[0], 'own words')")
    command("run")
    with_own(tree, "raise ValueError('cannot think')")
    ran = command("run")
    assert (ran.status, "0 fixed" in ran.out) == (3, True)
    found = audit(tree, select=["own", "unused-type"])
    assert [t.finding.check for t in found.ticketed] == ["unused-type", "unused-type"]
    assert "cannot think" in found.not_analysed[0].sentence()
    assert found.checks_on("a.py") == {"unused-type"}


def test_options_and_severity_of_a_tree_rule_are_checked(tree: Path) -> None:
    write(tree, {"pyproject.toml": "[tool.esper-audit.rules.unused-type]\nseverity = 'P2'\n"})
    assert {f.severity for f in audit(tree, select=["unused-type"]).findings} == {"P2"}
    write(tree, {"pyproject.toml": "[tool.esper-audit.rules.unused-type]\nsevere = 1\n"})
    ran = command("check", SELECT)
    assert (ran.status, "unknown key 'severe'" in ran.err) == (2, True)


def test_dead_code_of_a_tree_whose_imports_do_not_resolve_is_not_looked_at(tmp_path: Path) -> None:
    users = {f"u{i}.py": f"from installed.core import _f\n\n_f({i})\n" for i in range(3)}
    write(tmp_path, {"pyproject.toml": "", "core.py": "def _f(x):\n    return x\n", **users})
    ran = run(tmp_path, "check", "--select", "unwired-function")
    assert ran.status == 3
    assert "3 of 3 imports of this tree's own modules do not resolve" in " ".join(ran.not_looked_at)
    assert "nothing reaches" not in ran.out
