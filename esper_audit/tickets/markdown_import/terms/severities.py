"""Recognising severities in words."""

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
    r"\b(?:Revised|Final|Downgraded to|Upgraded to|Confirmed|Adjusted|New)(?: severity)?"
    r"\**\s*:?\**\s*\|?\s*\**`?(P[0-4])\b",
    re.IGNORECASE,
)
SEVERITY_ROW = re.compile(
    r"^\s*\|\s*\**(?:Severity|Priority)\**\s*\|(?P<cell>[^|\n]+)\|\s*$",
    re.IGNORECASE | re.MULTILINE,
)
SEVERITY_COLUMN = re.compile(
    r"^\s*\|(?P<before>(?:[^|\n]+\|)*?)\s*\**(?:Severity|Priority)\**\s*\|[^\n]*\n"
    r"\s*\|[-:|\s]+\|\s*\n\s*\|(?P<row>[^\n]+)\|",
    re.IGNORECASE | re.MULTILINE,
)


class StatedSeverity(msgspec.Struct, frozen=True):
    """A severity, the place that states it, and its words."""

    severity: Severity
    where: str
    text: str


def severity_in(text: str) -> Severity | None:
    """Return the severity in a value, None without one.

    It is the one after an arrow, and struck-out text does not count.
    """
    plain = ARROW.split(STRUCK.sub(" ", text))[-1]
    level = LEVEL.search(plain)
    if level:
        return Severity(f"P{level[1]}")
    single = words(without_markup(plain)).split()
    triples = [" ".join(single[n : n + 3]) for n in range(len(single))]
    return next((BY_WORD[name] for name in (*single, *triples) if name in BY_WORD), None)


def revised_severities(text: str, where: str) -> list[StatedSeverity]:
    """Return the revised severities in the text of a resolution."""
    found = [
        StatedSeverity(Severity(match[1].upper()), where, match[0].strip("*` "))
        for match in REVISED.finditer(text)
    ]
    cells = [row["cell"] for row in SEVERITY_ROW.finditer(text)]
    for table in SEVERITY_COLUMN.finditer(text):
        cells += table["row"].split("|")[table["before"].count("|") :][:1]
    for cell in cells:
        severity = severity_in(cell)
        if severity is not None:
            found.append(StatedSeverity(severity, where, cell.strip(" *`")))
    return found


def severity_contradiction(kept: Severity, others: list[StatedSeverity]) -> str:
    """Return the sentence about other severities, empty if all are equal."""
    different = [other for other in others if other.severity is not kept]
    places = ", ".join(f"{other.where} states {other.text}" for other in different)
    return f"severity: {kept} is kept, {places}" if different else ""
