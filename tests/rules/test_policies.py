"""Policies are on where a project adopts them, and files of other roles are judged by few rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import GOOD, HASATTR, audit, write
from support.local_rules import rule_source

from esper_audit.findings.contract import load_contracts
from esper_audit.findings.errors import ConfigError
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.monitor_catalogue import monitor_descriptions

REPOSITORY = Path(__file__).parents[2]
TABLE = "[tool.esper-audit]\n"
EMA = "def ratio(seed, host):\n    return seed.grad.norm() / host.grad.norm()\n"
NORM = "unguarded-norm-ratio"


def found(root: Path, configuration: str = "", **files: str) -> list[tuple[str, str]]:
    """Return the check and path of each finding in a tree that is new."""
    tree = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    write(root, {"pyproject.toml": TABLE + configuration, **tree})
    return [(f.check, f.location.path) for f in audit(root).findings]


def test_a_policy_is_off_where_it_is_not_adopted(tmp_path: Path) -> None:
    assert found(tmp_path, pkg__a=GOOD) == []
    assert HASATTR in audit(tmp_path).off


@pytest.mark.parametrize(
    "configuration",
    [
        'policies = ["no-hasattr"]\n',
        'profile = "strict"\n',
        f'select = ["{HASATTR}"]\n',
        f'extend-select = ["{HASATTR}"]\n',
        f'[[tool.esper-audit.per-path]]\npath = "pkg/"\nselect = ["{HASATTR}"]\n',
    ],
)
def test_a_policy_is_on_where_it_is_adopted_or_its_check_selected(
    tmp_path: Path, configuration: str
) -> None:
    assert found(tmp_path, configuration, pkg__a=GOOD) == [(HASATTR, "pkg/a.py")]


def test_a_policy_that_is_adopted_leaves_the_others_off(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": f'{TABLE}policies = ["public-torch-api"]\n', "a.py": GOOD})
    checks = audit(tmp_path).checks
    assert "private-torch-api" in checks
    assert HASATTR not in checks


def test_an_unknown_policy_is_an_error_with_line_and_suggestion(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": f'{TABLE}policies = [\n  "no-hasatr",\n]\n', "a.py": GOOD})
    with pytest.raises(
        ConfigError, match=r"toml:2: unknown policy 'no-hasatr'; did you mean 'no-h"
    ):
        audit(tmp_path)


def test_an_unknown_profile_is_an_error_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": f'{TABLE}profile = "strictt"\n', "a.py": GOOD})
    with pytest.raises(ConfigError, match=r"toml:2: profile: invalid value .*'strictt'"):
        audit(tmp_path)


def test_a_policy_of_the_projects_own_contracts_is_adopted_by_name(tmp_path: Path) -> None:
    own = (
        "- id: seeds-are-named\n  kind: policy\n  statement: A seed has a name.\n  why: It is read.\n"
        "  category: correctness\n  tickets: []\n"
    )
    write(tmp_path, {"contracts.yaml": own})
    adopted = 'contracts = "contracts.yaml"\npolicies = ["seeds-are-named"]\n'
    assert found(tmp_path, adopted, pkg__a=GOOD) == []
    with pytest.raises(ConfigError, match="unknown policy 'seeds-are-named'"):
        found(tmp_path, 'policies = ["seeds-are-named"]\n', pkg__a=GOOD)


def test_a_rule_that_the_project_wrote_needs_no_adoption(tmp_path: Path) -> None:
    own = {"no_old.py": rule_source("no-old"), "a.py": "old(1)\n"}
    write(tmp_path, {"pyproject.toml": f'{TABLE}local-rules = ["no_old.py"]\n', **own})
    result = audit(tmp_path)
    assert ("no-old", "a.py") in [(f.check, f.location.path) for f in result.findings]
    assert HASATTR not in result.checks  # of the same contract


@pytest.mark.parametrize("name", ["tests__test_a", "setup", "docs__conf", "benchmarks__b"])
def test_tests_scripts_and_documentation_are_not_judged_by_policies(
    tmp_path: Path, name: str
) -> None:
    assert found(tmp_path, 'profile = "strict"\n', **{name: GOOD}) == []


@pytest.mark.parametrize("name", ["scripts__train", "examples__train", "recipes__train"])
def test_scripts_and_examples_are_judged_by_the_rules_that_name_them(
    tmp_path: Path, name: str
) -> None:
    assert found(tmp_path, **{name: EMA}) == [(NORM, name.replace("__", "/") + ".py")]


def test_a_test_is_judged_where_its_path_or_the_command_line_selects_the_check(
    tmp_path: Path,
) -> None:
    per_path = f'[[tool.esper-audit.per-path]]\npath = "tests/"\nselect = ["{HASATTR}"]\n'
    expected = [(HASATTR, "tests/test_a.py")]
    assert found(tmp_path, per_path, tests__test_a=GOOD) == expected
    assert found(tmp_path, tests__test_a=GOOD) == []
    by_hand = audit(tmp_path, select=[HASATTR]).findings
    assert [(f.check, f.location.path) for f in by_hand] == expected


def test_a_file_and_its_directory_are_judged_alike(tmp_path: Path) -> None:
    assert found(tmp_path, 'profile = "strict"\n', tests__test_a=GOOD, pkg__a=GOOD) == [
        (HASATTR, "pkg/a.py")
    ]
    assert audit(tmp_path, tmp_path / "tests" / "test_a.py").findings == []


def test_a_comment_in_a_test_that_authorises_nothing_is_found(tmp_path: Path) -> None:
    comment = "x = 1  # esper-audit: allow unauthorised-hasatr -- it is fine\n"
    assert found(tmp_path, tests__test_a=comment) == [("invalid-suppression", "tests/test_a.py")]


def test_the_configuration_can_change_the_role_of_a_path(tmp_path: Path) -> None:
    roles = '[tool.esper-audit.roles]\ntest = ["checks/"]\n'
    assert found(tmp_path, f'profile = "strict"\n{roles}', checks__a=GOOD, tests__b=GOOD) == [
        (HASATTR, "tests/b.py")
    ]


def test_the_page_of_policies_lists_each_with_its_statement() -> None:
    page = (REPOSITORY / "docs" / "policies.md").read_text()
    rows = [
        f"| `{c.id}` | {c.statement} |" for c in load_contracts().values() if c.kind == "policy"
    ]
    assert [row for row in page.splitlines() if row.startswith("| `") and row in rows] == rows


def test_the_contracts_known_before_a_rule_is_imported_are_its_own() -> None:
    catalogue = CheckCatalogue([], "", [])
    of_monitors = monitor_descriptions().keys()
    audited = {c: kind for c, kind in catalogue.checks.items() if c not in of_monitors}
    expected = {check: kind.contract for check, kind in audited.items()}
    assert {**catalogue.rule_contracts, **catalogue.probe_contracts} == expected


def test_a_universal_contract_is_judged_strictly_where_a_project_adopts_it(tmp_path: Path) -> None:
    untyped = "def blend(h, u=None):\n    u = h if u is None else u\n    return combine(h, u)\n"
    adopted = 'policies = ["required-seed-input"]\n'
    assert found(tmp_path / "default", pkg__a=untyped) == []
    assert found(tmp_path / "named", adopted, pkg__a=untyped) == [("argument-fallback", "pkg/a.py")]
    strict = found(tmp_path / "strict", 'profile = "strict"\n', pkg__a=untyped)
    assert ("argument-fallback", "pkg/a.py") in strict
