"""Code as a text that says what it does, not how it is laid out; whole, without blocks, variables numbered."""

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


class CodePiece(NamedTuple):
    """A module that holds a piece of code somewhere, and the part of it that is the piece."""

    module: ast.Module
    part: object


class Writer:
    """Writes trees so that every Python version writes them alike: `ast.dump` does not, from 3.13 on.

    Names among `variables` are written as numbers in the order in which they are met; so is `own`, the
    name of the function around, when it is called as a method, and with `attributes` those of `self`.
    `met` and `words` collect what was and was not numbered. `blocks=False` leaves out the statements
    inside a statement.
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
        self.met: dict[str, int] = {}
        self.words: set[str] = set()

    def write(self, value: object) -> str:
        """Return a tree, or a list of trees, as text; empty parts are left out."""
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
        return f"${self.met.setdefault(name, len(self.met))}" if name else self.write(value)

    def _variable(self, node: ast.AST, field: str, text: str) -> str:
        """Return the variable that a field names, an empty string if it names none."""
        if NAME_FIELDS.get(type(node)) == field and text in self._variables:
            return text
        if field == "attr" and text == self._own:
            return text
        owned = self._attributes and owner(node) in self._variables
        return f"self.{text}" if owned and field == "attr" else ""


def owner(node: ast.AST) -> str:
    """Return `self` for `self.name`, an empty string for whatever is no attribute of one's own."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id if node.value.id in OWNERS else ""
    return ""


def pieces(code: str) -> Iterator[CodePiece]:
    """Yield the ways in which a piece of code can be read: an expression, statements, a clause, an argument."""
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
        yield CodePiece(module, module.body if text is alone else _inside(module.body[0]))


def _inside(frame: ast.stmt) -> object:
    """Return what stands at the place that a frame keeps for code."""
    if isinstance(frame, ast.Try):
        return [*frame.handlers, *frame.orelse, *frame.finalbody]
    if isinstance(frame, ast.If):
        return frame.orelse
    if isinstance(frame, ast.Match):
        return frame.cases
    return frame
