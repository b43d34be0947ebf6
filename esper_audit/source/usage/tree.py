"""The tree that a whole-program rule checks: the index, sources, entry points, and ways to report a violation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from esper_audit.findings.finding import NotAnalysed, Span, TreeViolation
from esper_audit.project.packaging import entry_points, scripts
from esper_audit.source.facts.records import DefinitionKind
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Item, Place, QueryResult, Symbol
from esper_audit.source.index.reference_table import ReferenceTable
from esper_audit.source.modules.import_roots import WHOLE_TREE
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.syntax.names import Function, parameters
from esper_audit.source.syntax.source import Source
from esper_audit.source.usage.external_callers import ExternalCallers
from esper_audit.source.usage.source_cache import MOST_LINES_PARSED, SourceCache
from esper_audit.source.usage.spelled_names.dynamic_names import DynamicNames
from esper_audit.source.usage.spelled_names.text_mentions import TextMentions
from esper_audit.source.usage.subclass_collectors import SubclassCollectors

KEYWORDS = {
    DefinitionKind.FUNCTION: ("def", "async def"),
    DefinitionKind.METHOD: ("def", "async def"),
    DefinitionKind.CLASS: ("class",),
}


class NodePosition(Protocol):
    """The position of a node: lines from 1, columns in bytes from 0. Every node of an `ast` has one."""

    @property
    def lineno(self) -> int:
        """The first line."""

    @property
    def col_offset(self) -> int:
        """The column on the first line."""

    @property
    def end_lineno(self) -> int | None:
        """The last line."""

    @property
    def end_col_offset(self) -> int | None:
        """The column behind the node on the last line."""


class Tree:
    """A project's files as one thing.

    `most_lines` bounds the files whose syntax trees are kept, in lines of source. Of a larger tree, which
    rules read file by file, a fourth of that is kept.
    """

    def __init__(self, root: str, index: Index, most_lines: int = MOST_LINES_PARSED) -> None:
        self.root = root
        self.index = index
        kept = most_lines if index.store.lines <= most_lines else most_lines // 4
        self._sources = SourceCache(index.store.content, kept)

    def source(self, path: str) -> Source | None:
        """Return a file with its text and `ast`, or None if it could not be read or parsed.

        A file that was dropped since it was last needed is parsed again, so its nodes are new ones.
        """
        return self._sources.source(path)

    @cached_property
    def entry_points(self) -> frozenset[str]:
        """The dotted names of the entry points in the project's packaging."""
        return entry_points(self.root)

    @cached_property
    def reference_table(self) -> ReferenceTable:
        """Every mention of the tree by what it refers to."""
        return ReferenceTable(self.index)

    @cached_property
    def external_callers(self) -> ExternalCallers:
        """What may call the tree's definitions from outside of it."""
        return ExternalCallers(self.index, self.entry_points, scripts(self.root))

    @cached_property
    def subclass_collectors(self) -> SubclassCollectors:
        """The classes that collect their subclasses."""
        return SubclassCollectors(self.index, self.line)

    @cached_property
    def dynamic_names(self) -> DynamicNames:
        """Names that code composes for a dynamic look-up."""
        return DynamicNames(self.index, self._sources.source)

    @cached_property
    def text_mentions(self) -> TextMentions:
        """Words in strings, documentation and configuration."""
        return TextMentions(self.index, self._sources.source)

    def function(self, symbol: Symbol) -> Function | None:
        """Return the `ast` of a function, or None if its file could not be read."""
        source = self.source(symbol.path)
        around = chain(source.tree, symbol.line, symbol.column - 1) if source is not None else []
        defined = [node for node in around if isinstance(node, Function)]
        return next((n for n in reversed(defined) if n.name == symbol.short), None)

    def text(self, symbol: Symbol) -> str:
        """Return the source of a definition."""
        return "".join(self._sources.lines(symbol.path)[symbol.line - 1 : symbol.end_line])

    def at_symbol(self, symbol: Symbol, message: str, *, argument: str = "") -> TreeViolation:
        """Report a definition, at its name. `argument` is the parameter concerned."""
        span = self._name(symbol)
        code = f"{symbol.short}({argument})" if argument else symbol.short
        return TreeViolation(symbol.path, span, message, code, symbol.symbol, argument)

    def at_parameter(self, symbol: Symbol, name: str, message: str) -> TreeViolation:
        """Report a parameter of a function, where it is declared."""
        node = self.function(symbol)
        declared = {p.arg: p for p in parameters(node.args)} if node is not None else {}
        if name not in declared:
            return self.at_symbol(symbol, message, argument=name)
        placed = self.at_node(symbol.path, declared[name], message, subject=symbol.symbol)
        return msgspec.structs.replace(placed, code=f"{symbol.short}({name})", argument=name)

    def at_node(
        self, path: str, node: NodePosition, message: str, *, subject: str = ""
    ) -> TreeViolation:
        """Report a node of a file's `ast` (`source(path).tree`), or its position."""
        lines = self._sources.lines(path)
        last = node.end_lineno or node.lineno
        span = Span(
            node.lineno,
            _column(lines, node.lineno, node.col_offset),
            last,
            _column(lines, last, node.end_col_offset or 0),
        )
        code = self._sources.segment(path, span)
        return TreeViolation(path, span, message, code, subject)

    def undecided(self, symbol: Symbol, answer: QueryResult[Item]) -> NotAnalysed:
        """Report a symbol as undecided, because files that may decide it could not be read."""
        unread = ", ".join(problem.path for problem in answer.not_looked_at)
        for problem in answer.not_looked_at:
            if problem.path == WHOLE_TREE:
                return NotAnalysed(symbol.path, f"cannot be decided: {problem.reason}")
        return NotAnalysed(symbol.path, f"cannot decide `{symbol.symbol}` without {unread}")

    def line(self, place: Place) -> str:
        """Return the line of a place."""
        return self._sources.lines(place.path)[place.line - 1]

    def in_scope(self, symbols: Iterable[Symbol]) -> list[Symbol]:
        """Return the symbols that production code defines."""
        return [symbol for symbol in symbols if symbol.role == "production"]

    def _name(self, symbol: Symbol) -> Span:
        """Return the span of a definition's name, behind its keyword if it has one."""
        lines = self._sources.lines(symbol.path)
        line = lines[symbol.line - 1]
        start = _column(lines, symbol.line, symbol.column - 1)
        for keyword in KEYWORDS.get(symbol.kind, ()):
            if line[start:].startswith(keyword + " "):
                start = line.index(symbol.short, start + len(keyword))
                break
        name = symbol.symbol.rpartition(".")[2]
        return Span(symbol.line, start, symbol.line, start + len(name))


def _column(lines: Sequence[str], line: int, offset: int) -> int:
    """Return the column in characters of an offset in bytes."""
    return len(lines[line - 1].encode()[:offset].decode(errors="replace"))
