"""Answers the claim `quote`: a file contains the quoted code at the lines cited."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.claims.code_tokens import CodeTokens
from esper_audit.claims.context import ClaimContext, TreeTexts
from esper_audit.claims.needs import Need
from esper_audit.claims.quotation import Span, line_ranges
from esper_audit.claims.quote_search import (
    Fidelity,
    Found,
    find_quotation,
    is_comment,
    missing_line,
)
from esper_audit.claims.records import QuoteClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.syntax.source import Source

SHOWN = 3
PYTHON = (".py", ".pyi")


def needs(claim: QuoteClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the code is in the tree."""
    return ()


def answer(claim: QuoteClaim, context: TreeTexts) -> Reply:
    """Search the code on the lines cited, then anywhere in the file, then in other files."""
    text = context.code_tokens(claim.path)
    if text is None:
        others = _other_places(claim, context)
        return stale(f"there is no file {claim.path}{_words(others)}", *others)
    parsed = context.source(claim.path) if claim.path.endswith(PYTHON) else None
    source = parsed if isinstance(parsed, Source) else None
    found = find_quotation(claim.code, text, source)
    if found is not None:
        return _located(claim, found)
    if is_comment(claim.code):
        reason = "the quotation is a comment that the file does not contain"
        return cannot_tell(f"{reason}; it may be a note of the author of the ticket", claim.path)
    if isinstance(parsed, NotAnalysed):
        return cannot_tell(f"there is no exact match, and {parsed.sentence()}", claim.path)
    others = _other_places(claim, context)
    if others:
        return stale(f"not in {claim.path}{_words(others)}", *others)
    return _missing(claim, text)


def _located(claim: QuoteClaim, found: Found) -> Reply:
    cited = line_ranges(claim.lines or "")
    there = [span for span in found.spans if any(_overlap(span, lines) for lines in cited)]
    places = [f"{claim.path}:{_lines(span)}" for span in (there or found.spans)[:SHOWN]]
    if cited and not there:
        return stale(f"the code moved from {claim.lines} to {_lines(found.spans[0])}", *places)
    if found.fidelity is Fidelity.INTERRUPTED:
        return stale(found.fidelity.value, *places)
    return holds(found.fidelity.value, *places)


def _missing(claim: QuoteClaim, text: CodeTokens) -> Reply:
    line = missing_line(claim.code, text)
    if line:
        return refuted(f"{claim.path} does not contain `{line}`", claim.path)
    return refuted(f"{claim.path} contains the lines quoted, but not together", claim.path)


def _other_places(claim: QuoteClaim, context: TreeTexts) -> list[str]:
    """Return the places in other files that contain the code."""
    names = {token.text for token in CodeTokens(claim.code).code if token.text.isidentifier()}
    places: list[str] = []
    for path in context.files_with(names):
        text = context.code_tokens(path) if path != claim.path else None
        found = find_quotation(claim.code, text) if text is not None else None
        if found is not None and found.fidelity is not Fidelity.INTERRUPTED:
            places.append(f"{path}:{_lines(found.spans[0])}")
    return places[:SHOWN]


def _words(places: Sequence[str]) -> str:
    return f"; the code is in {', '.join(places)}" if places else ""


def _overlap(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _lines(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"
