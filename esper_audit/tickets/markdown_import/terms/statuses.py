"""Recognising statuses in words, and deciding between several statements of a document.

The order of precedence is: the words of the resolution, which are next to the evidence; a row `Resolution`
of the head; closing notes; the folder of the file, which was changed last; the status of the head; a line
`**Status:**` in another section. `closed` has no kind of its own: another statement decides, else it is
fixed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.inline_values import (
    name_set,
    without_markup,
    words,
)
from esper_audit.tickets.states import ACTIVE, RESOLVED, STATUS_OF, ResolutionKind, Status


class StatusPlace(enum.StrEnum):
    """Where a document states its status, in order of precedence."""

    RESOLUTION = "Resolution"
    ROW = "row Resolution"
    NOTES = "closing notes"
    FOLDER = "folder"
    HEAD = "head"
    ELSEWHERE = "another section"


PHRASES: dict[ResolutionKind | Status, str] = {
    ResolutionKind.ALREADY_FIXED: "already fixed|already resolved|already implemented|already addressed|"
    "previously fixed|fixed previously|fixed elsewhere|already done",
    ResolutionKind.DOCUMENTED: "documented|documentation added|documentation only",
    ResolutionKind.NOT_A_BUG: "not a bug|notabug|not bug|not an issue|non issue|nonissue|invalid|false positive|"
    "rejected|works as intended|working as intended|works as designed|by design|no fix needed|"
    "no fix required|no action needed|no action required|no change needed|no changes needed|not valid|"
    "no bug|not reproducible|cannot reproduce|incorrect finding|no issue",
    ResolutionKind.WONT_FIX: "wont fix|wontfix|will not fix|wont do|declined|accepted risk|accept as is|"
    "not planned|not fixing|no fix planned|accepted as is",
    ResolutionKind.DUPLICATE: "duplicate|duplicates|dup|superseded|merged into|consolidated into",
    ResolutionKind.FIXED: "fixed|resolved|done|completed|complete|implemented|fix applied|addressed|"
    "fix implemented|corrected|shipped",
    Status.OPEN: "open|opened|reopened|todo|to do|backlog|unresolved|not fixed|unfixed|triaged|deferred|"
    "postponed|not started|tbd|not yet fixed|not resolved|to be fixed|new|confirmed|pending|accepted|valid",
    Status.INVESTIGATING: "investigating|under investigation|in progress|wip|fix in progress|"
    "partially fixed|partial fix|fixing|partially resolved|active|partial",
    Status.IN_REVIEW: "in review|under review|needs review|awaiting review|ready for review|fix in review|review",
}
# These are a status only if there is no other (`Confirmed, fixed`).
WEAK_WORDS = name_set(
    "new, confirmed, pending, accepted, valid, active, partial, review, complete, done"
)
CLOSED = re.compile(r"\b(?:closed|close|closing|archived)\b")
PATTERNS = [
    (re.compile(rf"\b{phrase}\b"), status)
    for status, phrases in PHRASES.items()
    for phrase in phrases.split("|")
]
FOLDERS = name_set(
    "open, triaged, new, todo, backlog, deferred, in progress, investigating, in review, "
    "fixed, already fixed, resolved, done, completed, closed, archived, not a bug, "
    "notabug, not bugs, invalid, rejected, false positive, false positives, by design, "
    "wont fix, wontfix, duplicate, duplicates"
)


class StatedStatus(msgspec.Struct, frozen=True):
    """A status with its place and words.

    `kind` is that of a resolved ticket. Status and kind are None for `closed`.
    """

    place: StatusPlace
    text: str
    status: Status | None
    kind: ResolutionKind | None

    @property
    def is_resolved(self) -> bool:
        """Return whether the ticket is resolved."""
        return self.status is None or self.status in RESOLVED


class StatusDecision(msgspec.Struct, frozen=True):
    """The decided status, the kind of resolution, the contradiction (empty without one), and the reason."""

    status: Status
    kind: ResolutionKind | None
    contradiction: str
    why: str


def read_status(place: StatusPlace, text: str) -> StatedStatus | None:
    """Return the status in a text, None without one."""
    text_words = words(without_markup(text))
    found = [(m.start(), m.end(), value) for p, value in PATTERNS if (m := p.search(text_words))]
    strong = [at for at in found if text_words[at[0] : at[1]] not in WEAK_WORDS]
    if found:
        value = min(strong or found, key=lambda at: (at[0], -at[1]))[2]
        if isinstance(value, ResolutionKind):
            return StatedStatus(place, text, STATUS_OF[value], value)
        return StatedStatus(place, text, value, None)
    return StatedStatus(place, text, None, None) if CLOSED.search(text_words) else None


def folder_status(folder: str) -> StatedStatus | None:
    """Return the status of a folder whose whole name is a status, else None."""
    return read_status(StatusPlace.FOLDER, folder) if words(folder) in FOLDERS else None


def decide_status(
    statements: Sequence[StatedStatus], implied: ResolutionKind | None
) -> StatusDecision:
    """Decide between statements.

    `implied` is the kind that headings such as `Fix` imply.
    """
    ordered = sorted(statements, key=lambda statement: list(StatusPlace).index(statement.place))
    in_words = (StatusPlace.RESOLUTION, StatusPlace.ROW, StatusPlace.NOTES)
    decisive = [
        s for s in ordered if s.status in RESOLVED or (s.status and s.place not in in_words)
    ]
    if any(s.place is StatusPlace.FOLDER and s.status is None for s in ordered):
        decisive = [s for s in decisive if s.status in RESOLVED]
        ordered = [
            s for s in ordered if s.is_resolved or s.place not in (StatusPlace.HEAD, *in_words)
        ]
    contradiction = _contradiction(statements)
    if decisive:
        first = decisive[0]
        why = f"{first.place} says {without_markup(first.text)}"
        return StatusDecision(first.status or Status.OPEN, first.kind, contradiction, why)
    if implied is not None and not any(s.status in ACTIVE for s in ordered):
        return StatusDecision(
            STATUS_OF[implied], implied, contradiction, "by what the resolution tells"
        )
    if ordered and all(statement.is_resolved for statement in ordered):
        why = "closed, and nothing says how"
        return StatusDecision(Status.FIXED, ResolutionKind.FIXED, contradiction, why)
    return StatusDecision(Status.OPEN, None, contradiction, "nothing says that it has ended")


def _contradiction(statements: Sequence[StatedStatus]) -> str:
    """Return the differing statements, empty if they agree.

    `closed` agrees with every resolved status.
    """
    found = {s.status if s.status in RESOLVED else s.is_resolved for s in statements}
    resolved = found - {True, False}
    if len(resolved) < 2 and not (False in found and (resolved or True in found)):
        return ""
    return "status: " + ", ".join(f"{s.place} states {without_markup(s.text)}" for s in statements)
