"""Reasons for an unread parameter: naming patterns, stand-ins, defaults for subclasses, redefinitions."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from esper_audit.source.facts.extraction.expression_paths import path_of
from esper_audit.source.facts.records import MANY, DefinitionKind
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import Function
from esper_audit.source.usage.signatures import CONSTRUCTOR, KINDS, display_name
from esper_audit.source.usage.tree import Tree

COPIED = re.compile(r"\b(copied|copy|taken|ported|adapted) from\b", re.IGNORECASE)
DECLARED_UNUSED = re.compile(
    r"unused|not (currently )?(used|read)\b|ignored?\b|no effect|deprecat|compat|placeholder|reserved|dummy|ARG00",
    re.IGNORECASE,
)


def is_declared_unused(text: str, name: str) -> bool:
    """Return whether a function's text declares a parameter unused, beside its name or a line below."""
    lines = text.split("\n")
    near = (
        line + (lines[number + 1] if number + 1 < len(lines) else "")
        for number, line in enumerate(lines)
        if re.search(rf"\b{name}\b", line)
    )
    return any(DECLARED_UNUSED.search(words) for words in near)


def is_read_in_commented_code(text: str, name: str) -> bool:
    """Return whether code that is commented out reads a name."""
    used = re.compile(rf"#.*(=\s*{name}\b|\b{name}=|\(.*\b{name}\b)")
    return used.search(text) is not None


def is_copied(tree: Tree, function: Symbol) -> bool:
    """Return whether the comment above a function, or its docstring, states that it was copied."""
    source, node = tree.source(function.path), tree.function(function)
    if source is None or node is None:
        return False
    first = min(part.lineno for part in (node, *node.decorator_list)) - 1
    above = source.lines[max(first - 1, 0) : first]
    comments = [line for line in above if line.lstrip().startswith("#")]
    return any(map(COPIED.search, [*comments, ast.get_docstring(node) or ""]))


PATTERN = 3  # two may be alike by chance
SHARED = 2  # words: one alone (`get_`) is no pattern
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")
Frame = tuple[str, ...]


class NamingPatterns:
    """Counts, for every pattern of function names, the parameters that functions take and leave unread."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._takers: Counter[tuple[Frame, str]] = Counter()
        self._droppers: Counter[tuple[Frame, str]] = Counter()
        self._pairs: set[tuple[Frame, str]] = set()
        for function in index.all_symbols(KINDS):
            parameters = [p for p in index.definition(function).parameters if p.kind not in MANY]
            self._takers.update(_keys(frames(function), (p.name for p in parameters)))
            unread = (p.name for p in parameters if not p.read)
            self._droppers.update(_keys(ends(function), unread))
            read = (p.name for p in parameters if p.read)
            self._pairs.update(_keys(self._twins(function), read))

    def prescribe(self, function: Symbol, name: str) -> bool:
        """Return whether a naming pattern explains a parameter of a function.

        Three functions take it whose names share two words at the ends, or three do not read it whose
        names share one: classes anywhere, functions in one directory; or one of its file, whose name
        differs by a word or the order of its words, and which takes all the same, reads it.
        """
        takes = any(self._takers[frame, name] >= PATTERN for frame in frames(function))
        is_dropped = any(self._droppers[end, name] >= PATTERN for end in ends(function))
        return takes or is_dropped or any((t, name) in self._pairs for t in self._twins(function))

    def _twins(self, function: Symbol) -> Iterator[Frame]:
        words = _words(function)
        if function.short != CONSTRUCTOR and len(words) > 1:
            taken = [p.name for p in self._index.definition(function).parameters]
            for place in range(len(words)):
                yield (function.path, *taken, *words[:place], "*", *words[place + 1 :])
            yield (function.path, *taken, "*", *sorted(words))


def frames(function: Symbol) -> Iterator[Frame]:
    """Yield a function's name with a wildcard for the words in which others differ."""
    words = _words(function)
    if function.short != CONSTRUCTOR and len(words) >= SHARED:
        yield (*words[:2], "*")
        yield (words[0], "*", words[-1])
        yield ("*", *words[-2:])


def ends(function: Symbol) -> Iterator[Frame]:
    """Yield the last word of a constructor's class. The first and the last of another name, and the directory."""
    words = _words(function)
    if len(words) < SHARED:
        return
    if function.short == CONSTRUCTOR:
        yield ("*", words[-1])
    else:
        directory = function.path.rpartition("/")[0]
        yield (directory, words[0], "*")
        yield (directory, "*", words[-1])


def _words(function: Symbol) -> list[str]:
    return WORD.findall(display_name(function).rpartition(".")[2])


def _keys(of: Iterable[Frame], names: Iterable[str]) -> Iterator[tuple[Frame, str]]:
    kept = list(of)
    for name in names:
        yield from ((frame, name) for frame in kept)


STAND_IN = re.compile(r"mock|fake|dummy|stub|no_?op(_|$)", re.IGNORECASE)
FUNCTIONAL = ("F", "functional")
CHECK = re.compile(r"^_?(check|validate|verify)_")
# The methods that `timm` calls on every model.
CONVENTIONS = frozenset(
    {"forward_intermediates", "get_intermediate_layers", "group_matcher", "reset_classifier"}
    | {"set_grad_checkpointing"}
)
EVERYTHING = 3  # that many unread parameters of a check: it takes all arguments of its caller
OVERRIDDEN = re.compile(r"\b(to|can|may|should|must|be) override?|subclasses (can|may|should|must)")
BASE = re.compile(r"^_?(Base|Abstract)(?=[A-Z])|Base$")


def is_redefined(tree: Tree, function: Symbol) -> bool:
    """Return whether the block around, or another branch of an `if`, binds a function's name again."""
    source, node = tree.source(function.path), tree.function(function)
    if source is None or node is None or function.kind is not DefinitionKind.FUNCTION:
        return False
    return any(_binds_name(part, node) for part in walk(source.tree) if part is not node)


def _binds_name(part: ast.AST, function: Function) -> bool:
    """Return whether a statement, indented as a function is, defines or assigns its name."""
    if isinstance(part, Function):
        return part.name == function.name and part.col_offset == function.col_offset
    targets = part.targets if isinstance(part, ast.Assign) else []
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    is_alike = isinstance(part, ast.Assign) and part.col_offset == function.col_offset
    return is_alike and function.name in names


def is_stand_in(tree: Tree, function: Symbol) -> bool:
    """Return whether a function has the signature of another: a mock, or `conv2d_same` for `F.conv2d`."""
    if STAND_IN.search(function.symbol):
        return True
    node = tree.function(function)
    called = (
        [path_of(part.func) for part in walk(node) if isinstance(part, ast.Call)] if node else []
    )
    return any(
        path.is_attribute
        and path.receiver.terminal in FUNCTIONAL
        and (function.short.startswith(path.terminal) or function.short.endswith(path.terminal))
        for path in called
    )


def is_argument_check(function: Symbol, unread: int) -> bool:
    """Return whether a function checks arguments of its caller, and takes all of them."""
    return CHECK.search(function.short) is not None and unread >= EVERYTHING


def is_for_subclasses(tree: Tree, function: Symbol, owner: Symbol | None) -> bool:
    """Return whether a method exists to be overridden, or is called by name on any class."""
    if owner is None or function.short == CONSTRUCTOR:
        return False
    if function.short in CONVENTIONS or _returns_parameter(tree, function):
        return True
    if OVERRIDDEN.search(tree.text(function)):
        return True
    if BASE.search(owner.short) and not tree.index.resolver.hierarchy.subclasses(owner.key):
        return True
    node = tree.function(function)
    body = node.body if node is not None else []
    is_answer = (
        len(body) > 0 and isinstance(body[-1], ast.Return) and all(map(_is_trivial, body[:-1]))
    )
    read = any(p.read for p in tree.index.definition(function).parameters[1:])
    return is_answer and not read and not function.short.startswith("_")


def has_trivial_body(tree: Tree, function: Symbol) -> bool:
    """Return whether a body only declares, raises or returns a constant."""
    node = tree.function(function)
    body = node.body if node is not None else []
    return all(map(_is_trivial, body))


def _returns_parameter(tree: Tree, method: Symbol) -> bool:
    """Return whether a method returns a parameter as it is: a step that subclasses may fill."""
    node = tree.function(method)
    statements = [part for part in node.body if not _is_trivial(part)] if node is not None else []
    last = (
        statements[0].value
        if len(statements) == 1 and isinstance(statements[0], ast.Return)
        else None
    )
    return isinstance(last, ast.Name) and last.id in {
        p.name for p in tree.index.definition(method).parameters
    }


def _is_trivial(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Expr, ast.Return)):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, (ast.Pass, ast.Raise))
