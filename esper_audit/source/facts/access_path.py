"""How an expression is written, as a short text that can be kept and followed later: `self.blocks[].attn()`.

A path is a head and steps. Heads: a name; `<T>` a value of the annotated type T; `[p]` a container
of what the path p leads to; `@a.b` an import; `!C.m` a definition of the same file; `super:C;` what
`super(C, self)` is; `?` anything. Steps: `.name`, `()` a call, `[]` an element, `[0]` the element at a
constant position, `[*]` what a loop over it gives.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

UNKNOWN = "?"
LONGEST_PATH = 12
Meanings = Mapping[str, str]
NO_MEANINGS: Meanings = {}
HEAD = re.compile(r"super:[\w.]*;|[\w?$]*")
STEP = re.compile(r"\.\w+|\(\)|\[[\d*]*\]")
LITERALS = {ast.JoinedStr: "<str>", ast.Dict: "<dict>", ast.Tuple: "<tuple>", ast.Compare: "<bool>"}
REMAKES = frozenset(
    {"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "deque", "ModuleList"}
    | {"ModuleDict"}
)
ONE_OF = frozenset({"next", "min", "max"})
SUPER = "super"


def path(node: ast.expr, meanings: Meanings = NO_MEANINGS) -> str:
    """Return how an expression is written; `meanings` replaces names (loop variables, narrowed types)."""
    steps: list[str] = []
    while len(steps) <= LONGEST_PATH:
        below, step = _step(node)
        if below is None:
            head = _head(node, meanings)
            steps.append(head)
            return _spliced(steps, meanings)
        node = below
        if step:
            steps.append(step)
    return UNKNOWN


def paths(node: ast.expr, meanings: Meanings = NO_MEANINGS) -> list[str]:
    """Return how the values that an expression may have are written: one, or one for each alternative."""
    if isinstance(node, ast.IfExp):
        return [*paths(node.body, meanings), *paths(node.orelse, meanings)]
    if isinstance(node, ast.BoolOp):
        return [one for value in node.values for one in paths(value, meanings)]
    if isinstance(node, ast.NamedExpr):
        return paths(node.value, meanings)
    return [path(node, meanings)]


def element(container: str) -> str:
    """Return the path of an element of what a path leads to."""
    if container == UNKNOWN:
        return UNKNOWN
    if container.startswith("[") and closing(container) == len(container) - 1:
        return container[1:-1]
    return f"{container}[*]"


def instance(annotation: str) -> str:
    """Return the path of a value of an annotated type."""
    return f"<{annotation}>" if annotation else UNKNOWN


def annotation_text(node: ast.expr | None) -> str:
    """Return an annotation without layout: names, subscripts, `|`; empty for what is none of these."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return _constant_annotation(node)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _dotted(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return "|".join(annotation_text(side) or "Any" for side in (node.left, node.right))
    if isinstance(node, ast.Subscript):
        return _subscript(node)
    if isinstance(node, (ast.List, ast.Tuple)):
        return f"[{','.join(annotation_text(item) or 'Any' for item in node.elts)}]"
    return ""


@cache
def split(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the head of a path and its steps (`.name`, `()`, `[]`)."""
    if text[:1] in ("@", "!"):
        return text, ()
    if text[:1] in ("<", "["):
        end = closing(text) + 1
    else:
        head = HEAD.match(text)
        end = head.end() if head is not None else 0
    return text[:end], tuple(match[0] for match in STEP.finditer(text, end))


@cache
def terminal(text: str) -> str:
    """Return the last name of a path: `attn` of `self.blocks[].attn()`."""
    if text[:1] in ("@", "!"):
        return text.rpartition(".")[2].lstrip("@!")
    head, steps = split(text)
    for step in reversed(steps):
        if step.startswith("."):
            return step[1:]
    if head.startswith("["):
        return terminal(head[1:-1])
    return head.strip("<>").rpartition(".")[2]


@cache
def receiver(text: str) -> str:
    """Return what stands before the last step of a path: `self.attn` of `self.attn.qkv`."""
    head, steps = split(text)
    return head + "".join(steps[:-1])


@cache
def words(text: str) -> frozenset[str]:
    """Return every name in a path."""
    return frozenset(re.findall(r"[A-Za-z_]\w*", text))


def closing(text: str) -> int:
    """Return where the bracket that a path starts with is closed."""
    pair = {"<": "<>", "[": "[]"}[text[0]]
    depth = 0
    for position, character in enumerate(text):
        depth += (character == pair[0]) - (character == pair[1])
        if depth == 0:
            return position
    return len(text) - 1


def _step(node: ast.expr) -> tuple[ast.expr | None, str]:
    """Return what an expression is a step away from, and the step; (None, "") for a head."""
    if isinstance(node, ast.Attribute):
        return node.value, f".{node.attr}"
    if isinstance(node, ast.Call):
        return (None, "") if _is_head(node) else (node.func, "()")
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Slice):
            return node.value, ""
        at = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return node.value, f"[{at}]" if type(at) is int else "[]"
    if isinstance(node, (ast.Await, ast.Starred, ast.NamedExpr)):
        return node.value, ""
    return None, ""


def _spliced(steps: list[str], meanings: Meanings) -> str:
    """Join head and steps; a narrowed attribute (`self.x`) is replaced as a narrowed name is."""
    steps.reverse()
    if steps[0] == UNKNOWN:
        return UNKNOWN if len(steps) == 1 else UNKNOWN + "".join(steps[1:])
    if len(steps) > 2 and (narrowed := meanings.get(steps[0] + steps[1])):
        steps[:2] = [narrowed]
    if steps[0].startswith("[") and len(steps) > 1 and steps[1].startswith("["):
        steps[:2] = [element(steps[0])]
    return "".join(steps)


def _is_head(call: ast.Call) -> bool:
    """Return whether a call is better told by what it holds than by what it calls."""
    name = _called(call)
    if name in REMAKES or name in ONE_OF:
        return len(call.args) == 1
    if name == SUPER:
        return len(call.args) == 2
    if name == "Sequential":
        return len(call.args) == 1 and isinstance(call.args[0], ast.Starred)
    return name == "cast" and len(call.args) == 2


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _head(node: ast.expr, meanings: Meanings) -> str:
    if isinstance(node, ast.Name):
        return meanings.get(node.id, node.id)
    if isinstance(node, ast.Constant):
        return f"<{type(node.value).__name__}>" if node.value is not None else "<None>"
    if isinstance(node, ast.Call):
        return _call_head(node, meanings)
    if isinstance(node, (ast.List, ast.Set)):
        return f"[{path(node.elts[0], meanings)}]" if node.elts else "<list>"
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return f"[{path(node.elt, comprehension_meanings(node, meanings))}]"
    if isinstance(node, ast.DictComp):
        return f"[{path(node.value, comprehension_meanings(node, meanings))}]"
    if isinstance(node, ast.Dict) and node.values:
        return f"[{path(node.values[0], meanings)}]"
    return LITERALS.get(type(node), UNKNOWN)


def _call_head(call: ast.Call, meanings: Meanings) -> str:
    name = _called(call)
    if name == SUPER:
        return f"super:{_dotted(call.args[0])};"
    if name == "cast":
        return instance(annotation_text(call.args[0]))
    inner = element(path(call.args[0], meanings))
    return inner if name in ONE_OF else f"[{inner}]"


def comprehension_meanings(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, meanings: Meanings
) -> Meanings:
    """Return the meanings inside a comprehension: those outside, and what its loops run over."""
    inside = dict(meanings)
    for loop in node.generators:
        inside.update(loop_bindings(loop.target, loop.iter, inside))
    return inside


def loop_bindings(
    target: ast.expr, iterable: ast.expr, meanings: Meanings
) -> Iterator[tuple[str, str]]:
    """Yield the names that a loop binds, each with the path of what it is bound to."""
    name = _called(iterable) if isinstance(iterable, ast.Call) else ""
    if isinstance(iterable, ast.Call) and isinstance(target, ast.Tuple) and len(target.elts) > 1:
        if name == "enumerate" and iterable.args:
            yield from unpacked(target.elts[0], "<int>")
            yield from loop_bindings(target.elts[1], iterable.args[0], meanings)
            return
        if name == "zip" and len(iterable.args) == len(target.elts):
            for part, source in zip(target.elts, iterable.args, strict=True):
                yield from loop_bindings(part, source, meanings)
            return
        if name == "items" and isinstance(iterable.func, ast.Attribute):
            yield from unpacked(target.elts[0], UNKNOWN)
            values = path(iterable.func.value, meanings)
            yield from unpacked(target.elts[1], element(f"{values}.values()"))
            return
    yield from unpacked(target, element(path(iterable, meanings)))


def unpacked(target: ast.expr, value: str) -> Iterator[tuple[str, str]]:
    """Yield the names that an assignment of a value to a target binds, each with its path."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from unpacked(target.value, UNKNOWN)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for position, part in enumerate(target.elts):
            inner = f"{value}[{position}]" if value != UNKNOWN else UNKNOWN
            yield from unpacked(part, inner)


def _constant_annotation(node: ast.Constant) -> str:
    if node.value is None or node.value is ...:
        return "None" if node.value is None else "..."
    if isinstance(node.value, str):
        inner = parsed_annotation(node.value)
        return annotation_text(inner) if inner is not None else ""
    return ""


@cache
def parsed_annotation(text: str) -> ast.expr | None:
    """Parse an annotation that is written in a string; None if it is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _subscript(node: ast.Subscript) -> str:
    outer = _dotted(node.value)
    if outer.rpartition(".")[2] in ("Literal", ""):
        return outer
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return f"{outer}[{','.join(annotation_text(item) or 'Any' for item in inside)}]"
