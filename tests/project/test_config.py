"""Finding a configuration, its effect on checks and paths, and the defaults without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, CLEAN, GOOD, HASATTR, audit, command, write

from esper_audit.findings.errors import ConfigError
from esper_audit.project.config import find_project
from esper_audit.source.index.index import open_index

UNGUARDED = "def ratio(seed, host):\n    return seed.grad.norm() / host.grad.norm()\n"
OFF = f"[tool.esper-audit]\nprofile = 'strict'\nignore = ['{HASATTR}']\n"
ON = "[tool.esper-audit]\nprofile = 'strict'\n"


def paths(root: Path, *asked: Path) -> list[str]:
    return [finding.location.path for finding in audit(root, *asked).findings]


def test_a_tree_without_configuration_is_checked_with_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mask.py").write_text(UNGUARDED)
    assert paths(tmp_path) == ["mask.py"]


def test_a_pyproject_without_our_table_marks_the_root_and_configures_nothing(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.other]\n", "pkg/good.py": GOOD})
    project = find_project([str(tmp_path / "pkg")])
    assert (project.root, project.file) == (str(tmp_path), "")


def test_the_nearest_configuration_wins(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": OFF, "pkg/pyproject.toml": ON, "pkg/good.py": GOOD})
    assert paths(tmp_path) == []
    assert paths(tmp_path / "pkg") == ["good.py"]


def test_a_pyproject_of_others_does_not_hide_the_configuration_above(tmp_path: Path) -> None:
    write(
        tmp_path, {"pyproject.toml": OFF, "pkg/pyproject.toml": "[project]\n", "pkg/good.py": GOOD}
    )
    assert paths(tmp_path / "pkg") == []


def test_our_own_file_goes_before_pyproject(tmp_path: Path) -> None:
    write(tmp_path, {"esper-audit.toml": ADOPTING, "pyproject.toml": OFF, "good.py": GOOD})
    assert paths(tmp_path) == ["good.py"]


def test_two_projects_have_the_configuration_above_both(tmp_path: Path) -> None:
    write(tmp_path, {"a/pyproject.toml": OFF, "a/good.py": GOOD, "b/good.py": GOOD})
    assert paths(tmp_path, tmp_path / "a", tmp_path / "b") == ["a/good.py", "b/good.py"]


def test_paths_are_audited_by_default(tmp_path: Path) -> None:
    configuration = "[tool.esper-audit]\nprofile = 'strict'\npaths = ['src']\n"
    write(tmp_path, {"pyproject.toml": configuration, "src/a.py": GOOD, "more/b.py": GOOD})
    assert paths(tmp_path) == ["src/a.py"]
    assert paths(tmp_path, tmp_path / "more") == ["more/b.py"]


def test_a_configured_path_that_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path, {"pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\npaths = ['gone']\n"}
    )
    assert command("check").status == 2


def test_exclude_leaves_out_files_and_directories(tmp_path: Path) -> None:
    configuration = "[tool.esper-audit]\nprofile = 'strict'\nexclude = ['old/', '*_pb2.py']\n"
    files = {"old/a.py": GOOD, "b_pb2.py": GOOD, "pkg/c_pb2.py": GOOD, "d.py": GOOD}
    write(tmp_path, {"pyproject.toml": configuration, **files})
    assert paths(tmp_path) == ["d.py"]


def test_an_excluded_file_named_by_hand_is_counted(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\nexclude = ['old/']\n",
            "old/a.py": GOOD,
        },
    )
    result = audit(tmp_path, tmp_path / "old" / "a.py")
    assert (result.findings, result.excluded, result.exit_status) == ([], ["old/a.py"], 0)


def test_the_text_reports_an_excluded_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        {
            "pyproject.toml": "[tool.esper-audit]\nprofile = 'strict'\nexclude = ['old/']\n",
            "old/a.py": GOOD,
        },
    )
    assert ", 1 file excluded by configuration; " in command("check", "old/a.py").out


def test_a_check_can_be_off_for_some_paths_and_on_for_others(tmp_path: Path) -> None:
    off = f"{ON}[[tool.esper-audit.per-path]]\npath = 'old/'\nignore = ['{HASATTR}']\n"
    write(tmp_path, {"pyproject.toml": off, "old/a.py": GOOD, "src/b.py": GOOD})
    assert paths(tmp_path) == ["src/b.py"]
    on = f"{OFF}[[tool.esper-audit.per-path]]\npath = 'old/'\nselect = ['{HASATTR}']\n"
    write(tmp_path, {"pyproject.toml": on})
    assert paths(tmp_path) == ["old/a.py"]


def test_a_check_can_be_selected_additionally(tmp_path: Path) -> None:
    configuration = "[tool.esper-audit]\nprofile = 'strict'\nextend-select = ['unused-parameter']\n"
    write(tmp_path, {"pyproject.toml": configuration, "a.py": GOOD})
    checks = audit(tmp_path).checks
    assert HASATTR in checks
    assert "unused-parameter" in checks
    assert audit(tmp_path, select=[HASATTR]).checks == [HASATTR]


def test_a_check_selected_by_hand_is_the_only_one_everywhere(tmp_path: Path) -> None:
    configuration = "[[tool.esper-audit.per-path]]\npath = '*'\nselect = ['all']\n"
    write(tmp_path, {"pyproject.toml": configuration, "a.py": GOOD})
    assert audit(tmp_path, select=["unused-suppression"]).checks == ["unused-suppression"]


def test_a_configuration_named_by_hand_is_used_and_gives_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"ci/strict.toml": f"paths = ['..']\nignore = ['{HASATTR}']\n", "a.py": GOOD})
    monkeypatch.chdir(tmp_path)
    assert command("check").status == 1
    assert command("check", "--config", "ci/strict.toml").status == 0


def test_a_configuration_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"clean.py": CLEAN})
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        find_project([str(tmp_path)], str(tmp_path / "nowhere.toml"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('local-rules = ["here.py", "none.py"]', "local-rules: no such file (got 'none.py')"),
        ('local-rules = ["."]', "local-rules: no such file (got '.')"),
        ('subjects = ["none.py:subjects"]', "subjects: no such file (got 'none.py:subjects')"),
        ('subjects = ["none.py"]', "subjects: no such file (got 'none.py')"),
        ('subjects = ["here.py"]', "subjects: invalid value (got 'here.py', expected path/"),
        ('subjects = ["pkg.mod"]', "subjects: invalid value (got 'pkg.mod', expected path/"),
        ('templates = "none"', "templates: no such folder (got 'none')"),
    ],
)
def test_files_that_a_configuration_names_exist(tmp_path: Path, line: str, problem: str) -> None:
    write(tmp_path, {"here.py": "", "esper-audit.toml": f"# mine\n{line}\n"})
    with pytest.raises(ConfigError, match=re.escape(f"esper-audit.toml:2: {problem}")):
        find_project([str(tmp_path)])


@pytest.mark.parametrize(
    ("table", "key", "meant"),
    [
        ("versions", "pythn", "python"),
        ("probing", "secnds", "seconds"),
        ("import", "mpa", "map"),
        ("suppressions", "require-ownr", "require-owner"),
    ],
)
def test_an_unknown_key_of_a_table_is_compared_with_the_keys_of_that_table(
    tmp_path: Path, table: str, key: str, meant: str
) -> None:
    write(tmp_path, {"esper-audit.toml": f"[{table}]\n{key} = 'x'\n"})
    with pytest.raises(ConfigError, match=rf"unknown key '{key}'; did you mean '{meant}'\?"):
        find_project([str(tmp_path)])


def test_subjects_of_a_file_or_of_a_module_are_accepted(tmp_path: Path) -> None:
    sources = ["here.py:subjects", "pkg.mod:subjects"]
    write(tmp_path, {"here.py": "", "esper-audit.toml": f"subjects = {sources}\n"})
    assert find_project([str(tmp_path)]).config.subjects == sources


def test_a_file_of_contracts_that_does_not_exist_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text("# mine\ncontracts = 'none.yaml'\n")
    with pytest.raises(ConfigError, match=r"esper-audit\.toml:2: contracts: no such file"):
        find_project([str(tmp_path)])


def test_without_a_configuration_only_the_given_directories_are_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "beside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    project = find_project([str(tmp_path / "given")])
    assert project.root == str(tmp_path)
    assert list(open_index(project, cache=False).store.paths) == ["given/a.py"]


def test_a_given_file_is_read_with_what_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    project = find_project([str(tmp_path / "a.py")])
    assert list(open_index(project, cache=False).store.paths) == ["a.py", "b.py"]
