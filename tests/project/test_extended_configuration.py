"""A configuration extends another one, and gives a severity by path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import GOOD, HASATTR, audit, command, write
from support.local_rules import with_rule

from esper_audit.findings.errors import ConfigError
from esper_audit.project.config import find_project

FIX = "yield Violation(node, 'old is old', Replacement(node.func, 'new', True, 'call new'))"
BASE = f"""
profile = "strict"
ignore = ["or-number"]
local-rules = []

[checking]
seconds = 3

[[per-path]]
path = "*.py"
severity = {{"{HASATTR}" = "P1"}}

[[allow]]
check = "{HASATTR}"
path = "legacy/"
owner = "Ada"
reason = "old"
"""
OWN = f"""
extend = "../shared/base.toml"
ignore = []

[checking]
memory = 100

[[per-path]]
path = "examples/"
severity = {{"{HASATTR}" = "P4"}}

[[allow]]
check = "{HASATTR}"
path = "plugins/"
owner = "Bo"
reason = "plugins"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "shared", {"base.toml": BASE})
    return write(tmp_path / "own", {"esper-audit.toml": OWN})


def test_own_values_win_and_tables_of_exceptions_are_added(root: Path) -> None:
    config = find_project([str(root)]).config
    assert config.profile == "strict"
    assert config.ignore == []
    assert (config.checking.seconds, config.checking.memory) == (3, 100)
    assert [entry.path for entry in config.allow] == ["plugins/", "legacy/"]
    assert [entry.path for entry in config.per_path] == ["*.py", "examples/"]


def test_config_show_names_the_file_of_each_value(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    values = json.loads(command("config", "show", "--format", "json").out)["values"]
    origins = {one["key"]: one["origin"] for one in values}
    assert origins["profile"].endswith("base.toml:2")
    assert origins["checking.seconds"].endswith("base.toml:7")
    assert origins["checking.memory"].endswith("esper-audit.toml:6")
    assert origins["tickets"] == "default"


def test_the_severity_of_a_check_depends_on_the_path(root: Path) -> None:
    files = {"a.py": GOOD, "examples/b.py": GOOD, "legacy/c.py": GOOD, "plugins/d.py": GOOD}
    write(root, files)
    found = {f.location.path: f.severity.value for f in audit(root).findings}
    assert found["a.py"] == "P1"
    assert found.get("examples/b.py", "P4") == "P4"
    assert "legacy/c.py" not in found
    assert "plugins/d.py" not in found


def test_a_changed_base_is_seen_by_the_next_check(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"a.py": GOOD})
    monkeypatch.chdir(root)
    assert "P1" in command("check").out
    base = root.parent / "shared" / "base.toml"
    base.write_text(BASE.replace('"P1"', '"P2"'))
    assert f"P2 {HASATTR}" in command("check").out


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("slect = []\n", "base.toml:1: unknown key 'slect'"),
        ('extend = "../own/esper-audit.toml"\n', "a configuration cannot extend itself"),
        ('extend = "gone.toml"\n', "base.toml: extend: no such file (got 'gone.toml')"),
    ],
    ids=["an unknown key", "a circle", "a file that is gone"],
)
def test_what_is_wrong_with_a_base_is_named(root: Path, base: str, said: str) -> None:
    (root.parent / "shared" / "base.toml").write_text(base)
    with pytest.raises(ConfigError) as error:
        find_project([str(root)])
    assert said in str(error.value)


def test_an_unknown_check_in_a_severity_is_an_error(tmp_path: Path) -> None:
    own = '[[per-path]]\npath = "x"\nseverity = {"no-such-check" = "P1"}\n'
    root = write(tmp_path, {"esper-audit.toml": own, "a.py": GOOD})
    with pytest.raises(ConfigError, match="unknown check 'no-such-check'"):
        audit(root)


def test_the_fix_of_a_rule_can_be_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = with_rule(tmp_path, "old-call", FIX)
    write(root, {"a.py": "old(1)\n"})
    monkeypatch.chdir(root)
    assert "+new(1)" in command("check", "--diff").out
    configuration = root / "pyproject.toml"
    configuration.write_text(
        f"{configuration.read_text()}[tool.esper-audit.rules.old-call]\nfix = false\n"
    )
    assert command("check", "--diff").out == ""
    ran = command("check")
    assert "old is old" in ran.out
    assert "fix (--fix)" not in ran.out
    configuration.write_text(configuration.read_text().replace("false", "0"))
    with pytest.raises(ConfigError, match="expected true or false"):
        find_project([str(root)])
