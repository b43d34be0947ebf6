"""A rule that concerns releases of torch or Python is off where a project runs on none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import audit, command, write
from support.local_rules import with_rule

from esper_audit.rules.version_ranges import parse_range, supported_versions, version_conflict

OVERLAPPING = [
    (">=2.1", ">=2.6"),
    ("<2.6", ">=2.1"),
    ("", "<1"),
    (">=2.6", "<=2.6"),
    ("~=2.1", ">=2.9,<3"),
    ("~=2.1.0", "==2.1.7"),
    ("==2.1.*", "==2.1.3"),
    ("^2.1", ">=2.8"),
    ("^0.3.1", ">=0.3.5"),
    (">2.6", "==2.6.1"),
    ("!=2.6", ">=2.6"),
    (">=2.0", "==2"),
    (">=2.6.0+cpu", "==2.6"),
]
APART = [
    ("<2.6", ">=2.6"),
    (">=2.1,<2.3", ">=2.3"),
    ("~=2.1", ">=3"),
    ("~=2.1.0", ">=2.2"),
    ("==2.1.*", "==2.2"),
    ("^2.1", "<2.1"),
    ("^0.3.1", ">=0.4"),
    (">2.6", "<=2.6"),
    ("<2", "==2.0.0"),
]


@pytest.mark.parametrize(("one", "other"), OVERLAPPING)
def test_ranges_with_a_release_in_common_overlap(one: str, other: str) -> None:
    assert parse_range(one).overlaps(parse_range(other))
    assert parse_range(other).overlaps(parse_range(one))


@pytest.mark.parametrize(("one", "other"), APART)
def test_ranges_without_one_do_not(one: str, other: str) -> None:
    assert not parse_range(one).overlaps(parse_range(other))
    assert not parse_range(other).overlaps(parse_range(one))


@pytest.mark.parametrize(
    ("packaging", "supported"),
    [
        ("", {}),
        ('requires-python = ">=3.10"', {"python": ">=3.10"}),
        ('dependencies = ["numpy", "torch>=2.1,<3"]', {"torch": ">=2.1,<3"}),
        ("dependencies = [\"torch (>=2.1) ; python_version>'3'\"]", {"torch": ">=2.1"}),
        ('dependencies = ["torchvision>=0.9", "torch-geometric>=2"]', {}),
        ('dependencies = ["torch"]', {}),
        ('[project.optional-dependencies]\nall = ["torch[opt]>=2.6"]', {"torch": ">=2.6"}),
        ('dependencies = "torch>=2"', {}),
    ],
)
def test_the_packaging_states_what_a_project_runs_on(
    tmp_path: Path, packaging: str, supported: dict[str, str]
) -> None:
    write(tmp_path, {"pyproject.toml": f"[project]\n{packaging}\n"})
    assert supported_versions(str(tmp_path), {}) == supported


def test_the_configuration_goes_before_the_packaging(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nrequires-python = ">=3.10"\n'})
    assert supported_versions(str(tmp_path), {"python": ">=3.12"}) == {"python": ">=3.12"}


def test_a_requirement_that_is_no_range_leaves_a_rule_on() -> None:
    assert version_conflict({"torch": ">=2.6"}, {"torch": "@ file:///x"}) == ""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a rule of its own that concerns torch below 2.6."""
    with_rule(tmp_path, "old-call", members='torch_versions = "<2.6"')
    write(tmp_path, {"a.py": "old(1)\n"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def requires(root: Path, torch: str) -> Path:
    own = (root / "pyproject.toml").read_text()
    return write(root, {"pyproject.toml": f'[project]\ndependencies = ["torch{torch}"]\n{own}'})


@pytest.mark.parametrize(("torch", "found"), [("", 1), (">=2.1", 1), (">=2.6", 0), ("==2.5.1", 1)])
def test_a_rule_is_off_where_the_project_runs_on_other_releases(
    project: Path, torch: str, found: int
) -> None:
    assert len(audit(requires(project, torch)).findings) == found


def test_the_command_line_selects_it_all_the_same(project: Path) -> None:
    assert len(audit(requires(project, ">=2.6"), select=["old-call"]).findings) == 1


def test_the_reason_is_shown(project: Path) -> None:
    requires(project, ">=2.6")
    shown = command("config", "show", "a.py").out
    assert "off P2 old-call" in shown
    assert "concerns torch <2.6, and the project runs on >=2.6" in " ".join(shown.split())
    assert "concerns torch <2.6" in command("rule", "old-call").out


def test_a_rule_with_versions_that_are_none_is_refused(project: Path) -> None:
    with_rule(project, "old-call", members='torch_versions = "new"')
    done = command("check", "--no-cache")
    assert done.status == 2
    assert "`torch_versions`: no range of versions (got 'new'" in done.err


def test_versions_in_the_configuration_that_are_none_are_refused(project: Path) -> None:
    text = (project / "pyproject.toml").read_text()
    write(project, {"pyproject.toml": text + '[tool.esper-audit.versions]\ntorch = "new"\n'})
    done = command("check", "--no-cache")
    assert done.status == 2
    assert "no range of versions (got 'new', expected such as >=2.1)" in done.err
