"""The answer to a claim: one of four, with its evidence."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated

import msgspec

from esper_audit.findings.probe_record import Plain

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
