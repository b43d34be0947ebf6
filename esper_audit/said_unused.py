"""What a function says of a parameter that it has no use for: in words, in code set aside, or as a copy."""

from __future__ import annotations

import ast
import re

from esper_audit.reference import Symbol
from esper_audit.tree import Tree

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
    """Say whether code that is commented out reads a name: somebody took its use away."""
    used = re.compile(rf"#.*(=\s*{name}\b|\b{name}=|\(.*\b{name}\b)")
    return used.search(text) is not None


def is_copied(tree: Tree, function: Symbol) -> bool:
    """Say whether the comment on top of a function, or its docstring, says that it comes from elsewhere."""
    source, node = tree.source(function.path), tree.function(function)
    if source is None or node is None:
        return False
    first = min(part.lineno for part in (node, *node.decorator_list)) - 1
    above = source.lines[max(first - 1, 0) : first]
    comments = [line for line in above if line.lstrip().startswith("#")]
    return any(map(COPIED.search, [*comments, ast.get_docstring(node) or ""]))
