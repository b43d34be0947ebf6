"""Answers the claim `location`: a file exists, defines a symbol, and has its lines there."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.quotation import line_ranges
from esper_audit.claims.records import LocationClaim
from esper_audit.claims.reply import Answer, Reply, cannot_tell, holds, refuted, stale
from esper_audit.claims.symbol_lookup import (
    ELSEWHERE,
    LocatedSymbol,
    definitions_of,
    find_symbol,
    other_files,
)
from esper_audit.source.syntax.source import Source


def needs(claim: LocationClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: files and symbols are in the tree."""
    return ()


def answer(claim: LocationClaim, context: ClaimContext) -> Reply:
    """Look up the file, then the symbol in it, then the lines in the symbol."""
    text = context.text(claim.path)
    if text is None:
        return stale(f"there is no file {claim.path}{other_files(claim.path, context.files)}")
    places: Sequence[tuple[int, int]] = [(1, max(1, len(text.splitlines())))]
    if claim.symbol:
        found = _symbols(claim, context)
        if isinstance(found, Reply):
            return found
        places = [(symbol.first, symbol.last) for symbol in found]
    return _lines(claim, places)


def _symbols(claim: LocationClaim, context: ClaimContext) -> list[LocatedSymbol] | Reply:
    """Return the symbols that the claim names, by their whole name or by its last part."""
    address = f"{claim.path}:{claim.symbol}"
    symbol = find_symbol(address, context)
    if isinstance(symbol, LocatedSymbol):
        if symbol.source.path == claim.path:
            return [symbol]
        return stale(f"{claim.path} imports {claim.symbol} only", symbol.place)
    source = context.source(claim.path)
    if isinstance(source, Source):
        attributes = context.index.symbols(address)
        if attributes:
            line = attributes[0].line
            return [LocatedSymbol(source, claim.symbol, None, line, line)]
        if "." not in claim.symbol:
            inside = definitions_of(claim.symbol, source)
            if inside:
                return inside
    if symbol.answer is Answer.CANNOT_TELL:
        return symbol
    return symbol if ELSEWHERE in symbol.evidence else refuted(symbol.evidence, claim.path)


def _lines(claim: LocationClaim, places: Sequence[tuple[int, int]]) -> Reply:
    cited = line_ranges(claim.lines)
    shown = [f"{claim.path}:{first}" for first, _ in places]
    spans = ", ".join(f"{first}-{last}" if first < last else str(first) for first, last in places)
    what = claim.symbol or claim.path
    if not cited:
        return holds(
            f"{what} is at {claim.path}:{spans}" if claim.symbol else "the file exists", *shown
        )
    if any(one <= last and first <= other for one, other in cited for first, last in places):
        return holds(f"{claim.lines} are lines of {what}, which has {spans}", *shown)
    if claim.symbol and len(places) > 1:
        return cannot_tell(f"{what} is defined several times: at {spans}", *shown)
    return stale(f"{what} has the lines {spans}, not {claim.lines}", *shown)
