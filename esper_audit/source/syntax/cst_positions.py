"""Positions of LibCST nodes: one code generation that notes token counts and computes lines on demand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from esper_audit.findings.finding import Span
from esper_audit.source.syntax import cst


class PositionRecorder:
    """A code generation state for LibCST that records the positions of its PositionProvider."""

    def __init__(self, module: cst.Module) -> None:
        self.default_indent = module.default_indent
        self.default_newline = module.default_newline
        self.tokens: list[str] = []
        self._indents: list[str] = []
        self._open: list[int] = []
        self._ranges: dict[cst.CSTNode, tuple[int, int]] = {}
        module._codegen(self)  # type: ignore[arg-type]  # noqa: SLF001  # the state is duck-typed

    def span(self, node: cst.CSTNode, line_offset: int = 0) -> Span:
        """Return the span of a node, `line_offset` lines further down than in the module."""
        first, last = self._ranges[node]
        line, column = self._position(first)
        end_line, end_column = self._position(last)
        return Span(line + line_offset, column, end_line + line_offset, end_column)

    @cached_property
    def _offsets(self) -> list[int]:
        """The character offset at which each token starts, and that of the end."""
        offsets = [0]
        for token in self.tokens:
            offsets.append(offsets[-1] + len(token))
        return offsets

    @cached_property
    def _line_starts(self) -> list[int]:
        text = "".join(self.tokens)
        return [0, *(i + 1 for i, character in enumerate(text) if character == "\n")]

    def _position(self, token: int) -> tuple[int, int]:
        offset = self._offsets[token]
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1]

    # What follows is the interface that LibCST's nodes call while they generate code.

    def increase_indent(self, value: str) -> None:
        """Enter a block."""
        self._indents.append(value)

    def decrease_indent(self) -> None:
        """Leave a block."""
        self._indents.pop()

    def add_indent_tokens(self) -> None:
        """Start a line."""
        self.tokens.extend(self._indents)

    def add_token(self, value: str) -> None:
        """Write a token."""
        self.tokens.append(value)

    def pop_trailing_newline(self) -> None:
        """Do nothing: positions include a last newline that the file lacks, as LibCST's do."""

    def before_codegen(self, node: cst.CSTNode) -> None:
        """Note where a node starts, whitespace included."""
        self._open.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        """Note where a node ends, unless its range without whitespace is known."""
        first = self._open.pop()
        self._ranges.setdefault(node, (first, len(self.tokens)))

    @contextmanager
    def record_syntactic_position(
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> Iterator[None]:
        """Note the range of a node without the whitespace around it."""
        first = len(self.tokens)
        yield
        last = len(self.tokens)
        if start_node is not None:
            first = self._ranges[start_node][0]
        if end_node is not None:
            last = self._ranges[end_node][1]
        self._ranges[node] = (first, last)
