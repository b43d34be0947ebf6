"""Answers the claim `quote`: a file contains the quoted code at the lines cited."""

from __future__ import annotations

from esper_audit.claims import code_search
from esper_audit.claims.code_search import Span
from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.records import QuoteClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.source.syntax.source import Source

SHOWN = 3


def needs(claim: QuoteClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the code is in the tree."""
    return ()


def answer(claim: QuoteClaim, context: ClaimContext) -> Reply:
    """Search the code on the lines cited, then anywhere in the file, then in other files."""
    text = context.text(claim.path)
    if text is None:
        return stale(f"there is no file {claim.path}{_in_other_files(claim, context)}")
    spans = code_search.exact_matches(claim.code, text.splitlines())
    if spans:
        return _placed(claim, spans)
    return _reformatted(claim, context, text)


def _placed(claim: QuoteClaim, spans: list[Span]) -> Reply:
    places = [_place(claim.path, span) for span in spans[:SHOWN]]
    if claim.lines is None or any(_overlaps(claim.lines, span) for span in spans):
        return holds("the file contains the code as quoted", *places)
    return stale(f"the code moved from {claim.lines} to {_lines(spans[0])}", *places)


def _reformatted(claim: QuoteClaim, context: ClaimContext, text: str) -> Reply:
    if claim.path.endswith((".py", ".pyi")):
        source = context.source(claim.path)
        if not isinstance(source, Source):
            reason = f"there is no exact match, and {source.sentence()}"
            return cannot_tell(reason, claim.path)
        spans = code_search.reformatted_matches(claim.code, source)
    else:
        spans = code_search.token_matches(claim.code, text.splitlines())
    if spans:
        place = _place(claim.path, spans[0])
        return stale("the file contains the code in another layout or with other comments", place)
    elsewhere = _in_other_files(claim, context)
    if elsewhere:
        return stale(f"not in {claim.path}{elsewhere}")
    return refuted(f"{claim.path} does not contain this code, moved or reformatted")


def _in_other_files(claim: QuoteClaim, context: ClaimContext) -> str:
    found = []
    for path in context.files:
        text = context.text(path) if path != claim.path else None
        spans = code_search.exact_matches(claim.code, text.splitlines()) if text is not None else []
        found += [_place(path, spans[0])] if spans else []
    return f"; the code is in {', '.join(found[:SHOWN])}" if found else ""


def _overlaps(lines: str, span: Span) -> bool:
    first, _, last = lines.partition("-")
    return int(first) <= span[1] and span[0] <= int(last or first)


def _lines(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def _place(path: str, span: Span) -> str:
    return f"{path}:{_lines(span)}"
