"""The claim `commit`: the history contains a commit that changes a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, reply

from esper_audit.claims.reply import Reply

AUTHOR = (
    "-c",
    "user.name=Ada",
    "-c",
    "user.email=ada@example.org",
    "-c",
    "init.defaultBranch=main",
)


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *AUTHOR, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change", "--date", "2026-01-01T00:00:00")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[str]]:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    first = commit(root, {"a.py": "x = 1\ny = 2\nz = 3\n", "b.py": "y = 1\n"})
    git(root, "mv", "a.py", "new.py")
    second = commit(root, {"c.py": "z = 1\n"})
    return root, [first, second]


def reply_to(root: Path, commit: str, touches: str = "") -> Reply:
    return reply(root, {}, kind="commit", commit=commit, touches=touches)


def test_a_commit_of_the_history_holds(history) -> None:
    root, (first, second) = history
    assert reply_to(root, first[:8]).answer == "holds"
    assert reply_to(root, first, "b.py").answer == "holds"
    assert reply_to(root, second, "c.py").answer == "holds"


def test_a_file_that_was_renamed_since_holds_with_a_note(history) -> None:
    root, (first, _) = history
    result = reply_to(root, first, "new.py")
    assert (result.answer, "under an earlier name" in result.evidence) == ("holds", True)


def test_a_commit_that_touches_other_files_is_refuted_and_they_are_named(history) -> None:
    root, (first, _) = history
    result = reply_to(root, first, "c.py")
    assert result.answer == "refuted"
    assert "2 other files: a.py, b.py" in result.evidence


def test_an_invented_commit_is_refuted(history) -> None:
    assert reply_to(history[0], "206841ef").answer == "refuted"


def test_a_commit_that_no_branch_contains_any_more_is_stale(history) -> None:
    root, (first, second) = history
    git(root, "reset", "-q", "--hard", first)
    assert reply_to(root, second).answer == "stale"


def test_a_file_that_is_not_in_the_history_is_stale(history) -> None:
    root, (first, _) = history
    assert reply_to(root, first, "never.py").answer == "stale"


def test_a_path_is_a_path_and_no_pattern(history) -> None:
    root, (first, _) = history
    assert reply_to(root, first, ":(glob)*.py").answer == "stale"


def test_without_git_there_is_no_answer(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert reply_to(tmp_path, "206841ef").answer == "cannot-tell"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reply_to(tmp_path, "206841ef").answer == "cannot-tell"


def test_in_a_shallow_clone_there_is_no_answer_for_an_unknown_commit(history, tmp_path) -> None:
    root, (first, second) = history
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{root}", str(shallow))
    assert reply_to(shallow, second).answer == "holds"
    assert reply_to(shallow, first).answer == "cannot-tell"


def test_what_is_no_hash_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"commit"):
        claim(kind="commit", commit="pending")
    with pytest.raises(ValidationError, match=r"commit"):
        claim(kind="commit", commit="--all")
