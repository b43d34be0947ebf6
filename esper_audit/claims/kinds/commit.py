"""Answers the claim `commit`: a commit exists, and changes a file."""

from __future__ import annotations

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.records import CommitClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.findings.errors import GitError
from esper_audit.project.git import (
    commit_files,
    file_commits,
    is_in_history,
    is_shallow,
    resolve_commit,
)
from esper_audit.text.markdown import count

SHOWN = 3
HISTORY = "the history"


def needs(claim: CommitClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: git has the commits."""
    return ()


def answer(claim: CommitClaim, context: ClaimContext) -> Reply:
    """Return whether git has the commit, and whether the commit changes the file."""
    root = context.root
    try:
        found, shallow = resolve_commit(root, claim.commit), is_shallow(root)
        return _in_history(claim, root, found, shallow=shallow)
    except GitError as error:
        return cannot_tell(str(error), lacking=HISTORY)


def _in_history(claim: CommitClaim, root: str, found: str, *, shallow: bool) -> Reply:
    if not found and shallow:
        return cannot_tell(f"{claim.commit} is not in this shallow clone", lacking=HISTORY)
    if not found:
        return refuted(f"the history has no commit {claim.commit}")
    if not is_in_history(root, found):
        return stale(f"{claim.commit} exists, but no branch contains it any more")
    if not claim.touches:
        return holds(f"{found} is in the history")
    return _touching(claim, root, found, shallow=shallow)


def _touching(claim: CommitClaim, root: str, found: str, *, shallow: bool) -> Reply:
    touched = commit_files(root, found)
    claimed = f"{claim.commit} touches {claim.touches}"
    if claim.touches in touched:
        return holds(claimed, claim.touches)
    commits = file_commits(root, claim.touches)
    if found in commits:
        return holds(f"{claimed} under an earlier name", claim.touches)
    if not commits:
        return stale(f"the history has no file {claim.touches}")
    if shallow:
        return cannot_tell(f"this clone is shallow: earlier names of {claim.touches} are unknown")
    listed = ", ".join(touched[:SHOWN]) + (", ..." if len(touched) > SHOWN else "")
    return refuted(f"{claim.commit} touches {count(len(touched), 'other file')}: {listed}")
