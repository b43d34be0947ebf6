"""Answers the claim `documented`: a docstring or comment at a symbol contains a phrase."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.documentation import DocumentationText, line_of_phrase, passages
from esper_audit.claims.needs import Need
from esper_audit.claims.records import DocumentedClaim
from esper_audit.claims.reply import Answer, Reply, holds, refuted, stale
from esper_audit.claims.symbol_lookup import LocatedSymbol, find_symbol
from esper_audit.source.syntax.source import Source


def needs(claim: DocumentedClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: docstrings and comments are in the tree."""
    return ()


def answer(claim: DocumentedClaim, context: ClaimContext) -> Reply:
    """Search the phrase at the symbol, then in the whole file."""
    path = claim.at.partition(":")[0]
    text = None if path.endswith((".py", ".pyi")) else context.text(path)
    if text is not None:
        return _searched(claim, path, [DocumentationText(1, text)])
    symbol = find_symbol(claim.at, context)
    if isinstance(symbol, Reply):
        return symbol
    here = _searched(claim, symbol.source.path, passages(symbol))
    if here.answer is Answer.HOLDS or not symbol.name:
        return here
    return _moved(claim, symbol.source) or here


def _searched(claim: DocumentedClaim, path: str, texts: Sequence[DocumentationText]) -> Reply:
    for passage in texts:
        line = line_of_phrase(passage, claim.says)
        if line:
            return holds(f"documented at {claim.at}", f"{path}:{line}")
    if not texts:
        return refuted(f"there is no docstring or comment at {claim.at}", path)
    reason = f"the documentation at {claim.at} does not contain the phrase"
    return refuted(reason, f"{path}:{texts[0].line}")


def _moved(claim: DocumentedClaim, source: Source) -> Reply | None:
    """Return where else the file contains the phrase, None if nowhere."""
    whole = LocatedSymbol(source, "", None, 1, len(source.lines))
    for passage in passages(whole):
        line = line_of_phrase(passage, claim.says)
        if line:
            return stale(f"no longer at {claim.at}", f"{source.path}:{line}")
    return None
