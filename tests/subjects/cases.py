"""What a corpus consists of: a subject, and what the probe must say of it."""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.subject import Subject, Verdict


@dataclass(frozen=True)
class Case:
    """`detectors` are those whose limit breaks, all of them; the verdict's code is the first."""

    subject: Subject
    verdict: Verdict
    detectors: tuple[str, ...] = ()


def sound(subject: Subject) -> Case:
    return Case(subject, Verdict.PASS)


def broken(subject: Subject, detectors: str) -> Case:
    return Case(subject, Verdict.FAIL, tuple(detectors.split()))


def unseen(subject: Subject, detectors: str) -> Case:
    return Case(subject, Verdict.INCONCLUSIVE, tuple(detectors.split()))
