"""The claim `readers`: how often a name is read, below a path or anywhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.counts import Count, PossibleCount, elsewhere, judged, shown
from esper_audit.claims.reply import Reply, stale
from esper_audit.project.file_roles import Role
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext

Name = Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*$")]


class ReadersClaim(Claim, frozen=True, kw_only=True, tag="readers"):
    """A name or attribute, whatever it belongs to, is read so often: never, if nothing else is said.

    `under` and `outside` are a folder, a file or a dotted package. Files of the role `among` are
    counted. A string that spells the name may be a read of it (`getattr`, a key) or not.
    """

    of: Name
    under: str = ""
    outside: str = ""
    count: Count = 0
    among: Role = Role.PRODUCTION

    def answer(self, context: ClaimContext) -> Reply:
        """Count the reads."""
        for where in filter(None, (self.under, self.outside)):
            if not _is_there(context, where):
                return stale(f"there is nothing at {where}")
        everywhere = context.index.mentions(self.of)
        if everywhere.is_complete and not everywhere.items:
            return stale(f"nothing in the tree is called {self.of}")
        told = context.index.readers(self.of, under=self.under, outside=self.outside)
        counted = [read for read in told.items if read.place.role is self.among]
        certain = [read for read in counted if not read.by_string]
        unread = tuple(problem.path for problem in told.not_looked_at)
        tally = PossibleCount(len(certain), len(counted) - len(certain), unread)
        roles = elsewhere((read.place.role for read in told.items), self.among)
        said = f"{count(len(counted), f'{self.among} read')} of {self.of}{self._where()}{roles}"
        return judged(tally, self.count, said, shown(read.place for read in counted))

    def _where(self) -> str:
        under = f" under {self.under}" if self.under else ""
        return under + (f" outside {self.outside}" if self.outside else "")


def _is_there(context: ClaimContext, where: str) -> bool:
    """Return whether a folder, file or dotted package is in the tree."""
    if os.path.exists(os.path.join(context.root, where)):
        return True
    below = where.replace(".", "/")
    return any(
        f"/{below}/" in f"/{path}" or f"/{path}".endswith(f"/{below}.py") for path in context.files
    )
