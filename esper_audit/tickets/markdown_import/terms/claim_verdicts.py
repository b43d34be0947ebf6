"""Reading tables of claims with their verdicts: TRUE, FALSE, PARTIAL or STALE, in words or signs."""

from __future__ import annotations

import re

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.inline_values import (
    name_set,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import read_table
from esper_audit.tickets.parts import JudgedClaim, Truth

CLAIM_COLUMNS = name_set(
    "claim, claims, assertion, statement, ticket claim, original claim, claimed"
)
VERDICT_COLUMNS = name_set(
    "status, verdict, result, truth, verified, reality, accurate, valid, finding, "
    "assessment, correct"
)
EVIDENCE_COLUMNS = name_set(
    "evidence, notes, note, reality, actual, details, explanation, proof, finding, "
    "reason, actual behavior, comment"
)
SIGNS = {
    "✅": Truth.TRUE,
    "✓": Truth.TRUE,
    "✔": Truth.TRUE,
    "☑": Truth.TRUE,
    "❌": Truth.FALSE,
    "✗": Truth.FALSE,
    "✘": Truth.FALSE,
    "⚠": Truth.PARTIAL,
    "🟡": Truth.PARTIAL,
}
WORDS = {
    Truth.STALE: "stale|outdated|obsolete|no longer true|no longer|was true|moved",
    Truth.PARTIAL: "partial|partially|partly|mixed|overstated|exaggerated|misleading|half|somewhat|unverified|"
    "unclear|mostly|nuanced|minor|theoretical",
    Truth.FALSE: "false|incorrect|wrong|not true|refuted|invalid|no|disproved|inaccurate|untrue|not confirmed|"
    "not valid|not accurate",
    Truth.TRUE: "true|confirmed|correct|verified|valid|yes|accurate|accepted|exists",
}
PATTERNS = [(re.compile(rf"(?:{phrases})\b"), truth) for truth, phrases in WORDS.items()]


def claims_in(block: MarkdownBlock) -> list[JudgedClaim]:
    """Return the claims of a table with a verdict in every row, empty for another table."""
    if block.kind is not BlockKind.TABLE:
        return []
    table = read_table(block)
    columns = [words(cell) for cell in table.header]
    if (
        len(columns) not in (2, 3)
        or columns[0] not in CLAIM_COLUMNS
        or columns[1] not in VERDICT_COLUMNS
    ):
        return []
    if len(columns) == 3 and columns[2] not in EVIDENCE_COLUMNS:
        return []
    claims = [_row_claim(row) for row in table.rows]
    found = [claim for claim in claims if claim is not None]
    return found if len(found) == len(claims) else []


def truth_of(text: str) -> Truth | None:
    """Return the verdict in a cell, by its words first, then by its signs, None without one."""
    cell_words = words(without_markup(text))
    for pattern, truth in PATTERNS:
        if pattern.match(cell_words):
            return truth
    return next((truth for sign, truth in SIGNS.items() if sign in text), None)


def _row_claim(row: tuple[str, ...]) -> JudgedClaim | None:
    truth = truth_of(row[1])
    if truth is None or not row[0]:
        return None
    verdict_words = one_line(row[1])
    return JudgedClaim(
        claim=one_line(row[0]),
        verdict=truth,
        as_written="" if verdict_words == truth.value else verdict_words,
        evidence=one_line(row[2]) if len(row) > 2 else "",
    )
