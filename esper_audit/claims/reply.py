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
    """The four answers to a claim."""

    HOLDS = "holds"
    REFUTED = "refuted"
    STALE = "stale"
    CANNOT_TELL = "cannot-tell"


DECIDED = frozenset({Answer.HOLDS, Answer.REFUTED})


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its evidence.

    The evidence is text, places (`path:line`), and a table whose first row contains the headings.
    *stale*: what the claim is about is gone or located elsewhere, so that the query has no meaning any
    more. *cannot-tell*: something needed was not looked at; an answer is never guessed. `lacking` names
    what is missing on this machine, where nothing else prevents an answer. `hits` is the number of
    production calls that certainly meet the defect, for a claim about calls.
    """

    answer: Answer
    evidence: Text
    places: tuple[str, ...] = ()
    table: tuple[Row, ...] = ()
    lacking: str = ""
    hits: int | None = None


def holds(evidence: str, *places: str, table: Iterable[Row] = ()) -> Reply:
    """Return the reply that the claim is true."""
    return Reply(answer=Answer.HOLDS, evidence=evidence, places=places, table=tuple(table))


def refuted(evidence: str, *places: str, table: Iterable[Row] = ()) -> Reply:
    """Return the reply that the claim is false."""
    return Reply(answer=Answer.REFUTED, evidence=evidence, places=places, table=tuple(table))


def stale(evidence: str, *places: str) -> Reply:
    """Return the reply that what the claim is about is missing or was moved."""
    return Reply(answer=Answer.STALE, evidence=evidence, places=places)


def cannot_tell(evidence: str, *places: str, lacking: str = "") -> Reply:
    """Return the reply that something needed was not looked at, or is `lacking` on this machine."""
    return Reply(answer=Answer.CANNOT_TELL, evidence=evidence, places=places, lacking=lacking)


def not_installed(package: str) -> Reply:
    """Return the reply that a package is needed which is not installed."""
    return cannot_tell(f"{package} is not installed", lacking=package)
