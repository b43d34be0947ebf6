"""The files that are found: those that git does not ignore, outside build and environment directories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.audit_runs import write

from esper_audit.findings.errors import UsageError
from esper_audit.project.discovery import NO_PYTHON, Discovery


def found(root: Path, *paths: Path) -> list[str]:
    return Discovery(str(root)).run(str(path) for path in paths or (root,)).files


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout


def test_python_files_and_stubs_are_found_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "", "a.pyi": "", "c.txt": "", "pkg/d.py": "", "e.PY": "", "f.pyc": ""})
    assert found(tmp_path) == ["a.pyi", "b.py", "pkg/d.py"]


def test_a_file_named_by_hand_is_taken_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"script": "", ".gitignore": "*.py\n", "a.py": "", ".git/HEAD": ""})
    assert found(tmp_path, tmp_path / "script", tmp_path / "a.py") == ["a.py", "script"]


def test_a_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/a.py": ""})
    assert found(tmp_path, tmp_path, tmp_path / "pkg", tmp_path / "pkg/a.py") == ["pkg/a.py"]


def test_no_path_at_all_finds_nothing(tmp_path: Path) -> None:
    assert Discovery(str(tmp_path)).run([]).files == []


def test_a_path_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone: no such file or directory"):
        found(tmp_path, tmp_path / "gone")


@pytest.mark.parametrize(
    "name", ["build", "dist", ".venv", "venv", "__pycache__", "node_modules", ".git"]
)
def test_builds_environments_and_caches_are_left_out(tmp_path: Path, name: str) -> None:
    write(tmp_path, {f"{name}/a.py": "", f"pkg/{name}/b.py": "", "c.py": ""})
    assert found(tmp_path) == ["c.py"]


def test_a_package_of_the_name_build_is_source(tmp_path: Path) -> None:
    write(tmp_path, {"p/build/__init__.py": "", "p/build/a.py": "", "p/dist/lib/b.py": ""})
    assert found(tmp_path) == ["p/build/__init__.py", "p/build/a.py"]


def test_a_build_directory_named_by_hand_is_walked(tmp_path: Path) -> None:
    write(tmp_path, {"build/a.py": ""})
    assert found(tmp_path, tmp_path / "build") == ["build/a.py"]


IGNORED = {
    ".gitignore": "*_old.py\n/top.py\ngenerated/\n!keep_old.py\n# a comment\n\nspace\\ .py\n",
    "top.py": "",
    "a_old.py": "",
    "keep_old.py": "",
    "space .py": "",
    "generated/x.py": "",
    "generated/keep_old.py": "",
    "pkg/top.py": "",
    "pkg/generated/y.py": "",
    "pkg/.gitignore": "!a_old.py\nlocal.py\n/deep/*\n!/deep/kept.py\n",
    "pkg/a_old.py": "",
    "pkg/b_old.py": "",
    "pkg/local.py": "",
    "pkg/deep/gone.py": "",
    "pkg/deep/kept.py": "",
    "pkg/more/local.py": "",
    "pkg/more/deep/stays.py": "",
    "other/.gitignore": "*\n!*.py\n",
    "other/b.py": "",
    "excluded.py": "",
    "pkg/excluded.py": "",
}


def test_what_git_ignores_is_left_out_as_git_itself_would(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {**IGNORED, ".git/info/exclude": "excluded.py\n"})
    listed = git(tmp_path, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    assert found(tmp_path) == sorted(name for name in listed if name.endswith(".py"))


@pytest.mark.parametrize("start", ["pkg", "pkg/deep", "pkg/more", "other"])
def test_ignore_files_above_the_start_directory_count(tmp_path: Path, start: str) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {**IGNORED, ".git/info/exclude": "excluded.py\n"})
    everything = found(tmp_path)
    assert found(tmp_path, tmp_path / start) == [f for f in everything if f.startswith(f"{start}/")]


def test_ignore_files_above_the_repository_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.py\n", "repository/a.py": "", "repository/.git/HEAD": ""})
    assert found(tmp_path / "repository") == ["a.py"]


def test_ignore_files_count_without_a_repository(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "a.py\n", "a.py": "", "b.py": ""})
    assert found(tmp_path) == ["b.py"]


def test_an_ignore_file_that_is_no_text_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": b"\xff\xfe\nb.py\n", "a.py": "", "b.py": ""})
    assert found(tmp_path) == ["a.py"]


def test_an_ignore_file_with_a_line_that_is_no_pattern_is_read_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    write(tmp_path, {".gitignore": "!\n/\nb.py\n", "a.py": "", "b.py": ""})
    assert found(tmp_path) == ["a.py"]


def test_a_walk_records_all_files_that_it_read_or_looked_up(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "", "pkg/sub/a.py": "", ".git/HEAD": ""})
    walk = Discovery(str(tmp_path)).run([str(tmp_path / "pkg" / "sub")])
    assert walk.directories == [str(tmp_path / "pkg" / "sub")]
    looked_for = {
        str(tmp_path / name) for name in (".gitignore", ".git/info/exclude", "pkg/.gitignore")
    }
    assert looked_for <= set(walk.ignore_files)


def test_a_directory_that_cannot_be_listed_is_a_problem(tmp_path: Path) -> None:
    long = tmp_path / "/".join(["a" * 200] * 18)
    long.mkdir(parents=True)
    (tmp_path / "far").symlink_to(long)
    (tmp_path / "far" / ("b" * 200)).mkdir()
    walk = Discovery(str(tmp_path)).run([str(tmp_path)])
    assert [p.reason for p in walk.problems] in (
        [NO_PYTHON],
        ["cannot be listed: File name too long"],
    )
    assert len(walk.directories) >= 18
