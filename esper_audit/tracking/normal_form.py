"""The normal form of code: a text that layout, comments and the Python version do not change."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection, Iterator
from typing import NamedTuple

BLOCKS = frozenset({"body", "orelse", "finalbody", "handlers", "cases", "decorator_list"})
HOLDS_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
NAME_FIELDS = {
    ast.Name: "id",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
}
OWNERS = frozenset({"self", "cls"})
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


class CodeFragment(NamedTuple):
    """Code that was parsed inside a module, and the part of the module that it is."""

    module: ast.Module
    part: object


class NormalFormWriter:
    """Writes syntax trees in a form that is equal in every Python version, unlike `ast.dump`.

    Names among `variables` are written as numbers in the order of their first use. So is `own`, the
    name of the enclosing function, where it is an attribute, and with `attributes` every attribute of
    `self`. `numbers` and `words` collect the numbered names and everything else. `blocks=False` omits
    the statements inside a statement.
    """

    def __init__(
        self,
        variables: Collection[str] = (),
        *,
        own: str = "",
        attributes: bool = False,
        blocks: bool = True,
    ) -> None:
        self._variables = variables
        self._own = own
        self._attributes = attributes
        self._blocks = blocks
        self.numbers: dict[str, int] = {}
        self.words: set[str] = set()

    def write(self, value: object) -> str:
        """Return a tree, or a list of trees, as text without its empty parts."""
        if isinstance(value, ast.expr_context):
            return ""
        if isinstance(value, ast.AST):
            parts = ((field, self._part(value, field)) for field in sorted(value._fields))
            inside = ", ".join(f"{field}={text}" for field, text in parts if text)
            return f"{type(value).__name__}({inside})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.write, value))}]" if value else ""
        if value is None:
            return ""
        if not isinstance(value, bool):
            self.words.add(repr(value))
        return repr(value)

    def _part(self, node: ast.AST, field: str) -> str:
        if not self._blocks and field in BLOCKS and isinstance(node, HOLDS_BLOCKS):
            return ""
        value = getattr(node, field)
        name = self._variable(node, field, value) if isinstance(value, str) else ""
        return f"${self.numbers.setdefault(name, len(self.numbers))}" if name else self.write(value)

    def _variable(self, node: ast.AST, field: str, text: str) -> str:
        """Return the variable to number for a field, an empty string if there is none."""
        if NAME_FIELDS.get(type(node)) == field and text in self._variables:
            return text
        if field == "attr" and text == self._own:
            return text
        owned = self._attributes and self_name(node) in self._variables
        return f"self.{text}" if owned and field == "attr" else ""


def self_name(node: ast.AST) -> str:
    """Return `self` for `self.name` and `cls` for `cls.name`, an empty string for other nodes."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id if node.value.id in OWNERS else ""
    return ""


def parse_fragments(code: str) -> Iterator[CodeFragment]:
    """Yield the ways in which code parses: an expression, statements, a clause, an argument."""
    alone = textwrap.dedent(code)
    for text in (
        f"({code}\n)",
        alone,
        f"try:\n    pass\n{alone}\n",
        f"if 1:\n    pass\n{alone}\n",
        f"match 1:\n{textwrap.indent(alone, '    ')}\n",
        f"f({code}\n)",
    ):
        try:
            module = ast.parse(text)
        except UNREADABLE:
            continue
        yield CodeFragment(module, module.body if text is alone else _framed_code(module.body[0]))


def _framed_code(frame: ast.stmt) -> object:
    """Return the part of a frame that holds the parsed code."""
    if isinstance(frame, ast.Try):
        return [*frame.handlers, *frame.orelse, *frame.finalbody]
    if isinstance(frame, ast.If):
        return frame.orelse
    if isinstance(frame, ast.Match):
        return frame.cases
    return frame
