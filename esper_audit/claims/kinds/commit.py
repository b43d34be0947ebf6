"""The claim `commit`: a commit exists, and touches a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims.claim import Claim
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

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext

Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{4,40}$")]
SHOWN = 3
HISTORY = "the history"


class CommitClaim(Claim, frozen=True, kw_only=True, tag="commit"):
    """The history holds the commit; with `touches`, it changes that file, under an earlier name too."""

    commit: Hash
    touches: str = ""

    def answer(self, context: ClaimContext) -> Reply:
        """Ask git."""
        root = context.root
        try:
            return self._asked(
                root, found=resolve_commit(root, self.commit), shallow=is_shallow(root)
            )
        except GitError as error:
            return cannot_tell(str(error), lacking=HISTORY)

    def _asked(self, root: str, *, found: str, shallow: bool) -> Reply:
        if not found and shallow:
            return cannot_tell(f"{self.commit} is not in this shallow clone", lacking=HISTORY)
        if not found:
            return refuted(f"the history has no commit {self.commit}")
        if not is_in_history(root, found):
            return stale(f"{self.commit} exists, but no branch holds it any more")
        if not self.touches:
            return holds(f"{found} is in the history")
        return self._touching(root, found, shallow=shallow)

    def _touching(self, root: str, found: str, *, shallow: bool) -> Reply:
        touched = commit_files(root, found)
        if self.touches in touched:
            return holds(f"{self.commit} touches {self.touches}", self.touches)
        commits = file_commits(root, self.touches)
        if found in commits:
            return holds(
                f"{self.commit} touches {self.touches} under an earlier name", self.touches
            )
        if not commits:
            return stale(f"the history knows no file {self.touches}")
        if shallow:
            return cannot_tell(
                f"this clone is shallow: earlier names of {self.touches} are unknown"
            )
        listed = ", ".join(touched[:SHOWN]) + (", ..." if len(touched) > SHOWN else "")
        return refuted(f"{self.commit} touches {count(len(touched), 'other file')}: {listed}")
