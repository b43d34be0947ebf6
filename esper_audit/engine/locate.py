"""From a stretch of source to a finding: symbol, excerpt, what the check says of itself; as yet without identity."""

from __future__ import annotations

from esper_audit.findings.finding import Finding, Location, Span
from esper_audit.rules.rule import Check
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.source import Source

LINES_AROUND = 2
LONGEST_EXCERPT = 12


def placed(check: Check, source: Source, at: Span, message: str) -> Finding:
    """Return the finding of a check at a stretch of a file."""
    line = source.lines[at.line - 1]
    enclosing = chain(source.tree, at.line, len(line[: at.column].encode()))
    first = max(1, at.line - LINES_AROUND)
    last = min(at.end_line, at.line + LONGEST_EXCERPT) + LINES_AROUND
    return Finding(
        location=Location(
            path=source.path,
            line=at.line,
            column=at.column + 1,
            end_line=at.end_line,
            end_column=at.end_column + 1,
            symbol=symbol_of(enclosing),
        ),
        check=check.id,
        contract=check.contract,
        message=message,
        severity=check.severity,
        category=check.category,
        confidence=check.confidence,
        fingerprint="",
        excerpt="".join(source.lines[first - 1 : last]).rstrip("\n"),
        excerpt_line=first,
    )
