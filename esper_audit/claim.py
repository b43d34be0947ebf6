"""What a claim is: a sentence with a query that is asked again today, and the four answers there are."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.sandbox_outcome import Job
from esper_audit.verdict import Plain

if TYPE_CHECKING:
    from esper_audit.inquiry import Inquiry

Text = Annotated[str, msgspec.Meta(min_length=1)]
Row = tuple[Plain, ...]


class Answer(enum.StrEnum):
    """What comes of asking."""

    HOLDS = "holds"
    REFUTED = "refuted"
    STALE = "stale"
    CANNOT_TELL = "cannot-tell"


TOLD = frozenset({Answer.HOLDS, Answer.REFUTED})


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its evidence: words, places (`path:line`), and a table under a row of headings.

    *stale*: what the claim speaks of is gone or stands elsewhere, so that the question means nothing
    any more. *cannot-tell*: something that is needed was not looked at; that is never guessed. `lacking`
    names what this machine has not, where that is all that keeps the question from being answered.
    `hits` is how many production calls certainly meet the defect, where the question was about calls.
    """

    answer: Answer
    evidence: Text
    places: tuple[str, ...] = ()
    table: tuple[Row, ...] = ()
    lacking: str = ""
    hits: int | None = None


class CheckOn(msgspec.Struct, frozen=True):
    """The wish that a check be run on a file; many claims share one run."""

    check: str
    path: str


NodeId = Annotated[str, msgspec.Meta(pattern=r"^[^\s:-][^\s:]*(::.+)?$")]


class TestRun(msgspec.Struct, frozen=True):
    """The wish that a pytest node be run; all of them share one run."""

    __test__ = False  # it is no test itself, though its name begins like one

    node: NodeId


Need = Job | CheckOn | TestRun


class Claim(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
):
    """A sentence of a ticket and how to ask whether it is so; each kind adds the keys of its query.

    A claim that *states the defect* holds as long as the defect is there. Any other one is evidence
    for the ticket and is expected to hold, unless `expect` says what is known of it: the claim of a
    reviewer that turned out false stays on record with `expect: refuted`.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    sentence: Text
    states_defect: bool = False
    expect: Answer | None = None

    @property
    def kind(self) -> str:
        """The name of the kind, as it stands in the file."""
        return str(type(self).__struct_config__.tag)

    def require(self, *, told: bool, wanted: str) -> None:
        """Refuse a query that means nothing, when it is read."""
        if not told:
            raise ValueError(f"claim {self.id} ({self.kind}): {wanted}")

    def needs(self, inquiry: Inquiry) -> Iterable[Need]:
        """Return what has to be run before the question can be answered; static kinds need nothing."""
        return ()

    def answer(self, inquiry: Inquiry) -> Reply:
        """Ask."""
        raise NotImplementedError


def holds(evidence: str, *places: str, table: Iterable[Row] = ()) -> Reply:
    """Return the reply that it is so."""
    return Reply(answer=Answer.HOLDS, evidence=evidence, places=places, table=tuple(table))


def refuted(evidence: str, *places: str, table: Iterable[Row] = ()) -> Reply:
    """Return the reply that it is not so."""
    return Reply(answer=Answer.REFUTED, evidence=evidence, places=places, table=tuple(table))


def stale(evidence: str, *places: str) -> Reply:
    """Return the reply that what the claim speaks of is not there, or not there any more."""
    return Reply(answer=Answer.STALE, evidence=evidence, places=places)


def cannot_tell(evidence: str, *places: str, lacking: str = "") -> Reply:
    """Return the reply that something needed was not looked at."""
    return Reply(answer=Answer.CANNOT_TELL, evidence=evidence, places=places, lacking=lacking)


def not_installed(package: str) -> Reply:
    """Return the reply that a package is needed that this machine has not."""
    return cannot_tell(f"{package} is not installed", lacking=package)
