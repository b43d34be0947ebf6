"""Build the finding of a check at a place of a file, without the fingerprint."""

from __future__ import annotations

from typing import NamedTuple

from esper_audit.findings.finding import Edit, Finding, Location, Span
from esper_audit.project.discovery import relative
from esper_audit.rules.rule import Check, Replacement
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.source import Source

LINES_AROUND = 2
LONGEST_EXCERPT = 12


def finding_at(check: Check | type[Check], source: Source, span: Span, message: str) -> Finding:
    """Return the finding of a check at a span of a file, with the lines around it as the excerpt."""
    line = source.lines[span.line - 1]
    enclosing = chain(source.tree, span.line, len(line[: span.column].encode()))
    first = max(1, span.line - LINES_AROUND)
    last = min(span.end_line, span.line + LONGEST_EXCERPT) + LINES_AROUND
    location = Location(
        path=source.path,
        line=span.line,
        column=span.column + 1,
        end_line=span.end_line,
        end_column=span.end_column + 1,
        symbol=symbol_of(enclosing),
    )
    excerpt = "".join(source.lines[first - 1 : last]).rstrip("\n")
    return make_finding(check, location, message, excerpt, first)


def make_finding(
    check: Check | type[Check],
    location: Location,
    message: str,
    excerpt: str,
    excerpt_line: int = 0,
) -> Finding:
    """Return a finding of a check.

    An `excerpt_line` of 0 means that the excerpt starts at the location.
    """
    return Finding(
        location=location,
        check=check.id,
        contract=check.contract,
        message=message,
        severity=check.severity,
        category=check.category,
        confidence=check.confidence,
        fingerprint="",
        excerpt=excerpt,
        excerpt_line=excerpt_line or location.line,
    )


def edit_at(span: Span, replacement: Replacement) -> Edit:
    """Return the edit that puts a replacement at a span."""
    return Edit(
        line=span.line,
        column=span.column + 1,
        end_line=span.end_line,
        end_column=span.end_column + 1,
        text=replacement.code,
        safe=replacement.safe,
        description=replacement.description,
    )


class ConfigFile(NamedTuple):
    """The configuration file at `path` of the project at `root`, both absolute."""

    root: str
    path: str

    def finding(
        self, table: str, position: int, check: type[Check], message: str
    ) -> tuple[Finding, str]:
        """Return a finding at the n-th `[[...table]]` of the file, and the message as its identity."""
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        headers = [i for i, line in enumerate(lines, 1) if line.strip().endswith(f"{table}]]")]
        line = headers[position] if position < len(headers) else 1
        text = lines[line - 1]
        location = Location(
            path=relative(self.root, self.path),
            line=line,
            column=1,
            end_line=line,
            end_column=len(text) + 1,
            symbol="",
        )
        return make_finding(check, location, message, text), message
