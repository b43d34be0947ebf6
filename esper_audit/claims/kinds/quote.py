"""The claim `quote`: the quoted code stands at the place cited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims import code_search
from esper_audit.claims.claim import Claim
from esper_audit.claims.reply import Reply, Text, cannot_tell, holds, refuted, stale
from esper_audit.source.syntax.source import Source

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext

Lines = Annotated[str, msgspec.Meta(pattern=r"^\d+(-\d+)?$")]
SHOWN = 3


class QuoteClaim(Claim, frozen=True, kw_only=True, tag="quote"):
    """The code stands in the file as quoted, on the lines cited if there are any.

    Indentation as a whole and space at the ends of lines do not count; a line `...` stands for what
    the quotation leaves out. Code that moved or was laid out anew is stale, code that is not there is
    refuted.
    """

    path: Text
    code: Text
    lines: Lines | None = None

    def __post_init__(self) -> None:
        """Refuse a quotation of nothing."""
        self.require(told=bool(code_search.pieces(self.code)), wanted="`code` quotes nothing")

    def answer(self, context: ClaimContext) -> Reply:
        """Look for the code on the lines cited, then anywhere in the file, then in other files."""
        text = context.text(self.path)
        if text is None:
            return stale(f"there is no file {self.path}{self._in_other_files(context)}")
        spans = code_search.exact(self.code, text.splitlines())
        if spans:
            return self._placed(spans)
        return self._laid_out_anew(context, text)

    def _placed(self, spans: list[code_search.Span]) -> Reply:
        places = [_place(self.path, span) for span in spans[:SHOWN]]
        if self.lines is None or any(_overlaps(self.lines, span) for span in spans):
            return holds("the code stands as quoted", *places)
        return stale(f"the code moved from {self.lines} to {_lines(spans[0])}", *places)

    def _laid_out_anew(self, context: ClaimContext, text: str) -> Reply:
        if self.path.endswith((".py", ".pyi")):
            source = context.source(self.path)
            if not isinstance(source, Source):
                return cannot_tell(f"not there word for word, and {source.sentence()}", self.path)
            spans = code_search.reformatted(self.code, source)
        else:
            spans = code_search.same_words(self.code, text.splitlines())
        if spans:
            where = _place(self.path, spans[0])
            return stale("the code stands there in another layout or with other comments", where)
        elsewhere = self._in_other_files(context)
        if elsewhere:
            return stale(f"not in {self.path}{elsewhere}")
        return refuted(f"{self.path} does not hold this code, moved or in another layout")

    def _in_other_files(self, context: ClaimContext) -> str:
        found = []
        for path in context.files:
            text = context.text(path) if path != self.path else None
            spans = code_search.exact(self.code, text.splitlines()) if text is not None else []
            found += [_place(path, spans[0])] if spans else []
        return f"; the code stands in {', '.join(found[:SHOWN])}" if found else ""


def _overlaps(lines: str, span: code_search.Span) -> bool:
    first, _, last = lines.partition("-")
    return int(first) <= span[1] and span[0] <= int(last or first)


def _lines(span: code_search.Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def _place(path: str, span: code_search.Span) -> str:
    return f"{path}:{_lines(span)}"
