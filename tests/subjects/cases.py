"""A case of a corpus: a subject, and the verdict that its probe must give."""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.subject import Subject, Verdict


@dataclass(frozen=True)
class Case:
    """`detectors` are all those whose limit breaks.

    The code of the verdict is the first of them.
    """

    subject: Subject
    verdict: Verdict
    detectors: tuple[str, ...] = ()


def sound(subject: Subject) -> Case:
    return Case(subject, Verdict.PASS)


def broken(subject: Subject, detectors: str) -> Case:
    return Case(subject, Verdict.FAIL, tuple(detectors.split()))


def inconclusive(subject: Subject, detectors: str) -> Case:
    return Case(subject, Verdict.INCONCLUSIVE, tuple(detectors.split()))


def by_design(subject: Subject, detectors: str) -> Case:
    """Return the case of a breach that is a property of the module, not a finding."""
    return Case(subject, Verdict.NOT_APPLICABLE, tuple(detectors.split()))
