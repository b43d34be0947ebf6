"""Severities in words, and where in a text a ticket's severity is said again."""

from __future__ import annotations

import re

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    without_markup,
    words,
)

WORDS = {
    Severity.P0: "critical, blocker, urgent, emergency, showstopper, severe",
    Severity.P1: "high, major, serious, important",
    Severity.P2: "medium, moderate, normal, average",
    Severity.P3: "low, minor",
    Severity.P4: "trivial, cosmetic, informational, info, nit, negligible, nice to have, tech debt, style, lowest",
}
BY_WORD = by_name(WORDS)
LEVEL = re.compile(r"(?<![\w-])(?:P|SEV-?|S|Priority |Severity )([0-4])(?![\w.])", re.IGNORECASE)
STRUCK = re.compile(r"~~.*?~~")
ARROW = re.compile(r"→|->|=>|⇒")
REVISED = re.compile(
    r"\b(?:Revised|Final|Downgraded to|Upgraded to|Confirmed|Adjusted|New)(?: severity)?\**\s*:?\**\s*\**`?(P[0-4])\b",
    re.IGNORECASE,
)


class StatedSeverity(msgspec.Struct, frozen=True):
    """A severity, where it was said, in which words."""

    severity: Severity
    where: str
    text: str


def severity_in(text: str) -> Severity | None:
    """Return the severity that a value names: what is struck out does not count, an arrow points at it."""
    plain = ARROW.split(STRUCK.sub(" ", text))[-1]
    level = LEVEL.search(plain)
    if level:
        return Severity(f"P{level[1]}")
    said = words(without_markup(plain)).split()
    pairs = [" ".join(said[n : n + 3]) for n in range(len(said))]
    named = [BY_WORD[word] for word in (*said, *pairs) if word in BY_WORD]
    return named[0] if named else None


def revised_severities(text: str, where: str) -> list[StatedSeverity]:
    """Return the severities that a resolution says the ticket should have had."""
    return [
        StatedSeverity(Severity(match[1].upper()), where, match[0].strip("*` "))
        for match in REVISED.finditer(text)
    ]


def severity_contradiction(believed: Severity, others: list[StatedSeverity]) -> str:
    """Return one sentence where others say another severity, empty where all agree."""
    different = [said for said in others if said.severity is not believed]
    told = ", ".join(f"{said.where} says {said.text}" for said in different)
    return f"severity: {believed} is kept, {told}" if different else ""
