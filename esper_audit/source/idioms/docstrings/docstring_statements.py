"""Defaults and shapes that a docstring states, and whether the signature and body agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from esper_audit.source.syntax.names import Function, dotted

SHAPE = re.compile(r"(?i)\bshape:?\s+(?:of\s+)?[`:math]*[(\[]([^()\[\]]*)[)\]]")
ALTERNATIVES = re.compile(r"(?i)\bor\b|\.\.\.|\*|\.\.|\?")
SEPARATOR = re.compile(r",|\s[x×]\s")


def stated_rank(text: str) -> int | None:
    """Return the number of dimensions of the only shape in a text, or None if it is ambiguous."""
    shapes = SHAPE.findall(text) if "hape" in text else []
    if len(shapes) != 1 or ALTERNATIVES.search(shapes[0]) or " or " in text:
        return None
    dimensions = [part for part in SEPARATOR.split(shapes[0]) if part.strip()]
    return len(dimensions) or None


def unpacked_rank(function: Function, name: str) -> int | None:
    """Return the number of names unpacked from the shape of an argument before it is rebound."""
    for statement in function.body:
        if isinstance(statement, ast.Assign) and _is_shape_of(statement.value, name):
            target = statement.targets[0]
            plain = isinstance(target, (ast.Tuple, ast.List)) and not any(
                isinstance(part, ast.Starred) for part in target.elts
            )
            return len(target.elts) if plain and isinstance(target, (ast.Tuple, ast.List)) else None
        if any(_is_rebound_or_left(node, name) for node in ast.walk(statement)):
            return None
    return None


def _is_shape_of(value: ast.expr, name: str) -> bool:
    if isinstance(value, ast.Call):
        return dotted(value.func) == f"{name}.size" and not value.args and not value.keywords
    return dotted(value) == f"{name}.shape"


def _is_rebound_or_left(node: ast.AST, name: str) -> bool:
    """Return whether a node rebinds a name or returns."""
    return isinstance(node, ast.Return) or (
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    )


LEAD = re.compile(
    r"(?i)\b(?<!which )(?:defaults?\s+to|defaults?\s+is|default\s+value\s*(?:is|of|:|=)|default\s*[:=])\s*"
)
LITERAL = re.compile(
    r"""(?P<tick>`*)(?P<value>
        "[^"\n]*" | '[^'\n]*' | True\b | False\b | None\b
        | [-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?
        | \([-+\d., eE]*\) | \[[-+\d., eE]*\]
    )(?P=tick)\s*(?P<after>[\])}.,;:|]*)(?P<rest>[^\n]*)""",
    re.VERBOSE,
)
QUALIFIER = re.compile(
    r"(?i)^\s*(?:\(|if|when|for|in|unless|or|otherwise|else|on|with|and|of|by|times|[*x/+%^-])"
)
BULLET = re.compile(r"\n\s*(?:[-*+]|\d[.)])\s")
NOT_A_LITERAL = object()


def stated_defaults(text: str) -> Iterator[tuple[str, object]]:
    """Yield each default that a text states, as its code and its value.

    A default below a bullet belongs to a part of the argument and is left out.
    """
    if "efault" not in text:
        return
    for lead in LEAD.finditer(BULLET.split(text, maxsplit=1)[0]):
        found = LITERAL.match(text, lead.end())
        if found is None:
            continue
        closes = bool(found["after"]) or not found["rest"].strip()
        if closes and not QUALIFIER.match(found["rest"]):
            value = _stated_value(found["value"])
            if value is not NOT_A_LITERAL:
                yield found["value"], value


def is_different_default(stated: object, default: ast.expr) -> bool:
    """Return whether a stated default certainly differs from the default of the signature."""
    actual = _literal_value(default)
    if actual is NOT_A_LITERAL or actual is None:
        return False
    if isinstance(actual, (list, tuple)) and isinstance(stated, (list, tuple)):
        return list(actual) != list(stated)
    if isinstance(actual, str) and isinstance(stated, str):
        return stated.strip() != actual.strip()
    comparable = stated is None or _kind(stated) is _kind(actual)
    return comparable and stated != actual


def _kind(value: object) -> type:
    return float if isinstance(value, (bool, int, float)) else type(value)


@lru_cache(maxsize=256)
def _stated_value(text: str) -> object:
    return _literal_value(text)


def _literal_value(code: str | ast.expr) -> object:
    try:
        return ast.literal_eval(code)
    except (ValueError, SyntaxError):
        return NOT_A_LITERAL
