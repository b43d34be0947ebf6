"""Queries to git, for changed files, old contents and commits.

None changes the work tree.
"""

from __future__ import annotations

import os
import subprocess

from esper_audit.findings.errors import GitError

READ_ONLY = ("-c", "diff.autoRefreshIndex=false")  # else `diff` writes the index
LITERALLY = "--literal-pathspecs"  # a path that begins with `:` is no pattern


def changed_since(root: str, revision: str) -> dict[str, str]:
    """Return the changed files, relative to `root`, each with the git object name of its old content.

    They are compared with the merge base of `revision` and HEAD. A new file has an empty object name, a
    renamed file that of the old file. Raises GitError.
    """
    base = _git(root, "merge-base", revision, "HEAD").strip()
    top = _git(root, "rev-parse", "--show-toplevel").strip()
    diff = _git(root, "diff", "--raw", "-z", "--no-abbrev", "--find-renames", base, "--")
    changed = dict(_changes(diff))
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--full-name", top)
    changed.update(dict.fromkeys(filter(None, untracked.split("\0")), ""))
    return {
        os.path.relpath(os.path.join(top, path), os.path.realpath(root)).replace(os.sep, "/"): blob
        for path, blob in changed.items()
    }


def blob_content(root: str, blob: str) -> bytes | None:
    """Return the content of a git object, None for the empty name."""
    return _git_bytes(root, "cat-file", "blob", blob) if blob else None


def is_shallow(root: str) -> bool:
    """Return whether the repository is a shallow clone.

    Raises GitError outside a repository.
    """
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def resolve_commit(root: str, name: str) -> str:
    """Return the full hash of an abbreviated commit, empty if there is none.

    Raises GitError if it is ambiguous.
    """
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
    except GitError as error:
        if "ambiguous" in str(error):
            raise
        return ""


def is_in_history(root: str, commit: str) -> bool:
    """Return whether a local or remote-tracking branch contains a commit."""
    return bool(_git(root, "branch", "--all", "--contains", commit, "--format=%(refname)").strip())


def commit_files(root: str, commit: str) -> list[str]:
    """Return the files below `root` that a commit changes.

    A merge is compared with its first parent.
    """
    shown = ("show", "-m", "--first-parent", "--format=", "--name-only", "--no-renames", "-z")
    listed = _git(root, *shown, "--relative", commit, "--")
    return [path for path in listed.split("\0") if path]


def file_commits(root: str, path: str) -> list[str]:
    """Return the commits that change a file, also under its earlier names."""
    return _git(root, "log", "--follow", "--format=%H", "--", path).split()


def user_name(root: str) -> str:
    """Return the configured user name, empty if there is none."""
    try:
        return _git(root, "config", "user.name").strip()
    except GitError:
        return ""


def _changes(diff: str) -> list[tuple[str, str]]:
    """Return pairs of current path and old object name from the output of `git diff --raw -z`."""
    fields = diff.split("\0")
    found = []
    position = 0
    while position + 1 < len(fields):
        _, _, old, _, status = fields[position].split(" ")
        moved = status[0] in "RC"
        path = fields[position + 2] if moved else fields[position + 1]
        position += 3 if moved else 2
        found.append((path, "" if status[0] == "A" else old))
    return found


def _git(root: str, *arguments: str) -> str:
    return _git_bytes(root, *arguments).decode("utf-8", "surrogateescape")


def _git_bytes(root: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  # the arguments are our own
            ["git", "-C", root, LITERALLY, *READ_ONLY, *arguments],  # noqa: S607  # git is found by PATH
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise GitError(f"git cannot be run: {error}") from error
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise GitError(f"git {arguments[0]}: {message}")
    return done.stdout
