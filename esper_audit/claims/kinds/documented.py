"""The claim `documented`: a docstring or comment at a symbol says a thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_audit.claims.address import Address, LocatedSymbol, find
from esper_audit.claims.claim import Claim
from esper_audit.claims.documentation import DocumentationText, has_words, line_that_says, passages
from esper_audit.claims.reply import Reply, Text, holds, refuted, stale

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext


class DocumentedClaim(Claim, frozen=True, kw_only=True, tag="documented"):
    """Somebody wrote `says` in a docstring or comment at a symbol, or in a document.

    Its words count, in their order; case, layout and punctuation do not, and `...` stands for anything.
    """

    at: Address
    says: Text

    def __post_init__(self) -> None:
        """Refuse to look for nothing."""
        self.require(told=has_words(self.says), wanted="`says` holds no word")

    def answer(self, context: ClaimContext) -> Reply:
        """Read what is written at the symbol."""
        path = self.at.partition(":")[0]
        text = None if path.endswith((".py", ".pyi")) else context.text(path)
        if text is not None:
            return self._read(path, [DocumentationText(1, text)])
        symbol = find(self.at, context)
        if isinstance(symbol, Reply):
            return symbol
        said = self._read(symbol.source.path, passages(symbol))
        return self._moved(symbol) or said if symbol.name else said

    def _read(self, path: str, written: list[DocumentationText]) -> Reply:
        for passage in written:
            line = line_that_says(passage, self.says)
            if line:
                return holds(f"written at {self.at}", f"{path}:{line}")
        if not written:
            return refuted(f"nothing at all is written at {self.at}", path)
        return refuted(f"what is written at {self.at} does not say it", f"{path}:{written[0].line}")

    def _moved(self, symbol: LocatedSymbol) -> Reply | None:
        """Return where the file says it instead, if the symbol does not."""
        if any(line_that_says(passage, self.says) for passage in passages(symbol)):
            return None
        whole = LocatedSymbol(symbol.source, "", None, 1, len(symbol.source.lines))
        for passage in passages(whole):
            line = line_that_says(passage, self.says)
            if line:
                return stale(f"no longer at {self.at}", f"{symbol.source.path}:{line}")
        return None
