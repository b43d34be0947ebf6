"""What a function says of a parameter that it has no use for: in words, in code set aside, or as a copy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.ast_walk import walk
from esper_audit.reference import Symbol
from esper_audit.tree import Tree

COMMENT = re.compile(r"^\s*#+\s*(.+)$", re.MULTILINE)
COPIED = re.compile(r"\b(copied|copy|taken|ported|adapted) from\b", re.IGNORECASE)
SAID = re.compile(
    r"unused|not (currently )?(used|read)\b|ignored?\b|no effect|deprecat|compat|placeholder|reserved|dummy|ARG00",
    re.IGNORECASE,
)


def is_said_unused(text: str, name: str) -> bool:
    """Say whether a function's own text says, beside a name or a line below, that it is not used."""
    lines = text.split("\n")
    near = (
        line + (lines[number + 1] if number + 1 < len(lines) else "")
        for number, line in enumerate(lines)
        if re.search(rf"\b{name}\b", line)
    )
    return any(SAID.search(words) for words in near)


def is_set_aside(text: str, name: str) -> bool:
    """Say whether a line of code that is commented out reads a name: somebody took its use away."""
    return any(
        isinstance(part, ast.Name) and part.id == name
        for tree in _code_in_comments(text, name)
        for part in walk(tree)
    )


def is_copied(tree: Tree, function: Symbol) -> bool:
    """Say whether the comment on top of a function, or its docstring, says that it comes from elsewhere."""
    source, node = tree.source(function.path), tree.function(function)
    if source is None or node is None:
        return False
    first = min(part.lineno for part in (node, *node.decorator_list)) - 1
    above = source.lines[max(first - 1, 0) : first]
    comments = [line for line in above if line.lstrip().startswith("#")]
    return any(map(COPIED.search, [*comments, ast.get_docstring(node) or ""]))


def _code_in_comments(text: str, name: str) -> Iterator[ast.Module]:
    for comment in COMMENT.findall(text):
        if name in comment:
            try:
                yield ast.parse(comment)
            except SyntaxError:
                continue  # words, not code
