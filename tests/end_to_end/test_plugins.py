"""Rules of an installed package or of the project; an incomplete or clashing rule is refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.audit_runs import GOOD, HASATTR, command, run, write
from support.local_rules import CONFIGURATION, rule_source, with_rule

METADATA = "Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n"
ENTRY_POINT = "[esper_audit.rules]\n{name} = {module}\n"


def installed(directory: Path, module: str, source: str) -> dict[str, str]:
    """Write a package that offers a rule, as pip would; return the environment that finds it."""
    info = "their_rules-1.0.dist-info"
    files = {
        f"{info}/METADATA": METADATA,
        f"{info}/entry_points.txt": ENTRY_POINT.format(name="theirs", module=module),
        f"{module.replace('.', '/')}.py": source,
    }
    write(directory, files)
    return {"PYTHONPATH": str(directory), "PYTHONSAFEPATH": ""}


def test_a_rule_of_an_installed_package_runs(tmp_path: Path) -> None:
    env = installed(tmp_path / "site", "their_rules.no_old", rule_source("no-old"))
    write(tmp_path / "tree", {"a.py": f"{GOOD}old(1)\n"})
    ran = run(tmp_path / "tree", "check", env=env)
    assert ran.status == 1
    assert "a.py:4:1 P2 no-old\n  old is called\n" in ran.out
    assert ran.places == ["a.py:2:8"]


def test_a_package_that_is_installed_later_is_noticed_on_an_unchanged_tree(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"a.py": "old(1)\n"})
    (tmp_path / "site").mkdir()
    env = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": ""}
    assert [run(tmp_path / "tree", "check", env=env).status for _ in range(2)] == [0, 0]
    os.utime(tmp_path / "site", (1, 1))
    installed(tmp_path / "site", "no_old", rule_source("no-old"))
    assert run(tmp_path / "tree", "check", env=env).status == 1


def test_a_package_that_does_not_load_stops_the_run_by_name(tmp_path: Path) -> None:
    env = installed(tmp_path / "site", "no_old", "import nonsense_that_is_missing\n")
    write(tmp_path / "tree", {"a.py": GOOD})
    ran = run(tmp_path / "tree", "check", env=env)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("esper-audit: plugin theirs does not load: ModuleNotFoundError: ")


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here")
def test_a_rule_of_the_project_can_be_selected_and_explained(tmp_path: Path) -> None:
    write(with_rule(tmp_path, "no-old"), {"a.py": f"{GOOD}old(1)\n"})
    ran = command("check", "--select", "no-old")
    assert (ran.status, ran.places) == (1, [])
    assert "a.py:4:1 P2 no-old" in ran.out


@pytest.mark.usefixtures("_here")
def test_a_rule_of_the_project_may_hold_dataclasses_and_options_of_imported_types(
    tmp_path: Path,
) -> None:
    members = (
        "class Options(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):\n"
        "    level: Severity = Severity.P1\n"
    )
    body = "import dataclasses\n\n@dataclasses.dataclass\nclass Note:\n    level: Severity\n\n"
    body += "yield Violation(node, f'{Note(self.options.level).level}')"
    write(with_rule(tmp_path, "no-old", body, members=members, message="P1"), {"a.py": "old(1)\n"})
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("[tool.esper-audit.rules.no-old]\nlevel = 'P4'\n")
    ran = command("check")
    assert ran.status == 1
    assert "a.py:1:1 P2 no-old\n  P4\n" in ran.out


@pytest.mark.usefixtures("_here")
def test_a_rule_that_has_the_id_of_another_is_refused(tmp_path: Path) -> None:
    with_rule(tmp_path, HASATTR)
    ran = command("check")
    assert ran.status == 2
    assert (
        f"rule {HASATTR} is defined in esper_audit.rules.file.interfaces.unauthorised_hasattr and in "
        in ran.err
    )


@pytest.mark.usefixtures("_here")
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files = {"a/no_old.py": rule_source("no-old"), "b/no_old.py": rule_source("no-old")}
    configuration = (
        "[tool.esper-audit]\nprofile = 'strict'\nlocal-rules = ['a/no_old.py', 'b/no_old.py']\n"
    )
    write(tmp_path, {**files, "pyproject.toml": configuration})
    ran = command("check")
    assert ran.status == 2
    assert "rule no-old is defined in " in ran.err


LACKING = {
    "What": ("    What: calls of old.\n\n", "missing: What"),
    "Why": ("    Why: a test needs a rule that does as it is told.\n\n", "missing: Why"),
    "Quiet": ("    Quiet: everything else.\n\n", "missing: Quiet"),
    "Tickets": ("    Tickets: real code\n", "missing: Tickets"),
    "contract": ('    contract = "no-hasattr"\n', "`contract` is missing or not a str"),
    "category": (
        "    category = Category.API_CONTRACT\n",
        "`category` is missing or not a Category",
    ),
    "severity": ("    severity = Severity.P2\n", "`severity` is missing or not a Severity"),
    "triggers": ('    triggers = Triggers(calls=frozenset({"old"}))\n', "`triggers` is missing"),
    "VALID": ('    VALID = (Valid("another call", "new(1)\\n"),)\n', "needs at least one VALID"),
    "INVALID": (
        '    INVALID = (Invalid("the call", "old(1)\\n", ((1, "old is called"),)),)\n',
        "needs at least one VALID and one INVALID case",
    ),
    "check": ("    def check(self, node, file):\n", "has no `check` method"),
}


@pytest.mark.parametrize(("part", "said"), LACKING.values(), ids=LACKING)
@pytest.mark.usefixtures("_here")
def test_a_rule_that_lacks_a_part_is_refused_and_told_which(
    tmp_path: Path, part: str, said: str
) -> None:
    source = rule_source("no-old")
    assert source.count(part) == 1
    lacking = source.replace(
        part, "    def other(self, node, file):\n" if "def check" in part else ""
    )
    write(
        tmp_path, {"no_old.py": lacking, "pyproject.toml": CONFIGURATION.format(file="no_old.py")}
    )
    ran = command("check")
    assert (ran.status, ran.out) == (2, "")
    assert "no-old" in ran.err
    assert said in ran.err


@pytest.mark.usefixtures("_here")
def test_a_trigger_of_no_kind_of_node_is_refused_and_told_the_nearest(tmp_path: Path) -> None:
    members = 'triggers = Triggers(nodes=frozenset({"ExceptHandlers"}))\n'
    write(with_rule(tmp_path, "no-old", members=members), {"a.py": "old(1)\n"})
    ran = command("check")
    assert ran.status == 2
    assert (
        "rule no-old: unknown node type 'ExceptHandlers'; did you mean 'ExceptHandler'?" in ran.err
    )


@pytest.mark.usefixtures("_here")
def test_a_rule_that_every_call_triggers_needs_a_prefilter(tmp_path: Path) -> None:
    members = 'triggers = Triggers(nodes=frozenset({"Call"}))\n'
    write(with_rule(tmp_path, "no-old", members=members), {"a.py": "old(1)\n"})
    ran = command("check")
    assert ran.status == 2
    assert "rule no-old: triggers on every Call and has no `prefilter`. Define one." in ran.err
    members += "def prefilter(self, nodes):\n    return nodes\n"
    body = 'if node.func.id == "old":\n    yield Violation(node, "old is called")'
    write(with_rule(tmp_path, "no-old", body, members=members), {"a.py": "old(1)\n"})
    assert command("check").status == 1


@pytest.mark.usefixtures("_here")
def test_a_contract_that_nobody_wrote_is_refused(tmp_path: Path) -> None:
    write(with_rule(tmp_path, "no-old", members='contract = "no-such"\n'), {"a.py": "old(1)\n"})
    ran = command("check")
    assert ran.status == 2
    assert "check no-old names contract 'no-such', which is in no contracts file" in ran.err
