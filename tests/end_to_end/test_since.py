"""`--since REV` shows what is new since the merge base; `--stdin-filename` reads the buffer of an editor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, command, run, write
from support.git_repositories import git

SECOND = "\n\ndef second(other):\n    return hasattr(other, 'dim')\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with one old finding, and go there."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, {"a.py": GOOD, "b.py": CLEAN, "pkg/c.py": CLEAN})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "start")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def since(revision: str = "HEAD") -> tuple[int, list[str], str]:
    ran = command("check", "--since", revision)
    return ran.status, ran.places, ran.out.splitlines()[-1] if ran.out else ran.err


def test_what_was_there_before_is_not_shown(repository: Path) -> None:
    assert since()[:2] == (0, [])


def test_what_is_new_is_shown_and_what_is_old_is_counted(repository: Path) -> None:
    write(repository, {"a.py": GOOD + SECOND, "b.py": GOOD})
    status, places, summary = since()
    assert (status, places) == (1, ["a.py:7:12", "b.py:2:8"])
    assert ", 1 older left out" in summary


@pytest.mark.parametrize(
    "edited",
    [f"import torch\n\n\n{GOOD}", GOOD.replace("return", "return 1 +"), CLEAN + "\n\n" + GOOD],
)
def test_lines_that_moved_are_not_new(repository: Path, edited: str) -> None:
    write(repository, {"a.py": edited})
    assert since()[:2] == (0, [])


def test_a_renamed_file_is_not_new(repository: Path) -> None:
    git(repository, "mv", "a.py", "pkg/moved.py")
    status, places, summary = since()
    assert (status, places) == (0, [])
    assert ", 1 older left out" in summary


def test_a_new_file_counts_staged_or_not(repository: Path) -> None:
    write(
        repository,
        {"new.py": GOOD, "pkg/staged.py": GOOD, "ignored.py": GOOD, ".gitignore": "ignored.py\n"},
    )
    git(repository, "add", "pkg/staged.py")
    assert since()[:2] == (1, ["new.py:2:8", "pkg/staged.py:2:8"])


def test_a_deleted_file_is_no_trouble(repository: Path) -> None:
    (repository / "a.py").unlink()
    assert since()[:2] == (0, [])


def test_the_comparison_is_with_the_merge_base(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "topic")
    write(repository, {"b.py": GOOD})
    git(repository, "commit", "-q", "-a", "-m", "topic")
    git(repository, "checkout", "-q", "main")
    write(repository, {"a.py": CLEAN})
    git(repository, "commit", "-q", "-a", "-m", "repaired on main")
    git(repository, "checkout", "-q", "topic")
    assert since("main")[:2] == (1, ["b.py:2:8"])


def test_names_that_git_would_quote_are_understood(repository: Path) -> None:
    write(repository, {"ä b\t'c'.py": GOOD})
    status, _, summary = since()
    assert (status, summary.startswith("1 finding")) == (1, True)


def test_it_works_from_a_directory_below_and_through_a_link(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(repository, {"pkg/c.py": GOOD})
    monkeypatch.chdir(repository / "pkg")
    assert since()[:2] == (1, ["pkg/c.py:2:8"])
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(repository)
    ran = run(link, "check", "--since", "HEAD")
    assert (ran.status, ran.places) == (1, ["pkg/c.py:2:8"])


def test_the_work_tree_and_the_index_are_not_touched(repository: Path) -> None:
    write(repository, {"a.py": GOOD + SECOND, "new.py": GOOD})
    status = git(repository, "status", "--porcelain")
    index = (repository / ".git/index").read_bytes()
    os.utime(repository / "b.py", (2, 2))
    since()
    assert (repository / ".git/index").read_bytes() == index
    assert git(repository, "status", "--porcelain") == status


def test_a_file_that_does_not_parse_now_is_not_passed_over(repository: Path) -> None:
    write(repository, {"a.py": "def f(:\n"})
    assert since()[0] == 3


def test_a_file_that_did_not_parse_before_is_all_new(repository: Path) -> None:
    write(repository, {"b.py": "def f(:\n"})
    git(repository, "commit", "-q", "-a", "-m", "broken")
    write(repository, {"b.py": GOOD})
    assert since()[:2] == (1, ["b.py:2:8"])


def test_an_old_authorisation_that_was_taken_away_shows_the_finding(repository: Path) -> None:
    write(repository, {"b.py": f"# esper-audit: allow-file unauthorised-hasattr -- x\n{GOOD}"})
    git(repository, "commit", "-q", "-a", "-m", "authorised")
    write(repository, {"b.py": GOOD})
    assert since()[:2] == (1, ["b.py:2:8"])


@pytest.mark.parametrize("revision", ["nowhere", "HEAD~99", "--all", "a..b"])
def test_a_bad_revision_is_2_and_a_sentence(repository: Path, revision: str) -> None:
    ran = command("check", f"--since={revision}")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("esper-audit: git merge-base: ")


def test_no_repository_is_2_and_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = command("check", "--since", "HEAD")
    assert ran.status == 2
    assert "not a git repository" in ran.err


def test_a_buffer_stands_for_its_file(tmp_path: Path) -> None:
    table = "[tool.esper-audit]\nprofile = 'strict'\n"
    configuration = f"{table}[[tool.esper-audit.per-path]]\npath = 'old/'\nignore = ['all']\n"
    write(tmp_path, {"pyproject.toml": configuration, "a.py": CLEAN})
    ran = run(tmp_path, "check", "--stdin-filename", "a.py", stdin=GOOD.encode())
    assert (ran.status, ran.places) == (1, ["a.py:2:8"])
    quiet = run(tmp_path, "check", "--stdin-filename", "old/new.py", stdin=GOOD.encode())
    assert (quiet.status, quiet.places) == (0, [])
    assert (tmp_path / "a.py").read_text() == CLEAN


def test_a_buffer_that_does_not_parse_is_3(tmp_path: Path) -> None:
    ran = run(tmp_path, "check", "--stdin-filename", "a.py", stdin=b"\xff")
    assert (ran.status, len(ran.not_looked_at)) == (3, 1)
