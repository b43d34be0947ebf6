"""The keywords that a call may pass: those of torch's functions and of the functions and classes of a file."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable
from functools import cache

from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

TABLE = os.path.join(os.path.dirname(__file__), "torch_keywords.txt")
# Decorators that leave the signature of a function unchanged.
TRANSPARENT = frozenset(
    {
        "staticmethod",
        "classmethod",
        "no_grad",
        "inference_mode",
        "abstractmethod",
        "override",
        "final",
    }
    | {"torch.no_grad", "torch.inference_mode", "abc.abstractmethod", "torch.jit.export", "cache"}
    | {"torch.jit.ignore", "torch.jit.unused", "functools.cache"}
)
# The names of NumPy that the native functions of torch take for keywords of their own.
NUMPY_ALIASES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "x": "input",
    "a": "input",
    "x1": "input",
    "x2": "other",
}
PLAIN_BASES = frozenset({"torch.nn.Module", "builtins.object", "abc.ABC"})
SIMILARITY = 0.75
SHORTEST = 4


@cache
def torch_keywords() -> dict[str, frozenset[str]]:
    """Return the keywords of torch's functions and constructors by their full names.

    The file is made from the signatures of torch.
    """
    with open(TABLE, encoding="utf-8") as file:
        rows = (line.partition(": ") for line in file.read().splitlines())
        return {name: frozenset(words.split()) for name, _, words in rows}


@cache
def torch_keywords_by_name() -> dict[str, frozenset[str]]:
    """Return the keywords that all functions and constructors of torch with the same last name take."""
    found: dict[str, frozenset[str]] = {}
    for name, keywords in torch_keywords().items():
        last = name.rpartition(".")[2]
        found[last] = found.get(last, keywords) & keywords
    return found


def similar_name(name: str, known: Iterable[str]) -> str:
    """Return the known name that a misspelt one resembles, or has the words of, or an empty string."""
    if len(name) < SHORTEST:
        return ""
    from difflib import get_close_matches

    names, words = sorted(known), _sorted_words(name)
    exchanged = [other for other in names if other != name and _sorted_words(other) == words]
    found = exchanged or get_close_matches(name, names, n=1, cutoff=SIMILARITY)
    return found[0] if found and not _are_numbered(name, found[0]) else ""


def _sorted_words(name: str) -> list[str]:
    return sorted(name.strip("_").split("_"))


def is_misspelt(name: str, known: str) -> bool:
    """Return whether a name differs from a similar one inside its words, and not by words that one has more."""
    shorter, longer = sorted((name.strip("_").split("_"), known.strip("_").split("_")), key=len)
    rest = iter(longer)
    return not all(word in rest for word in shorter)


def has_numpy_alias(function: str, name: str, known: Iterable[str]) -> bool:
    """Return whether a function of torch takes a keyword by the name that NumPy gives to it."""
    is_native = not function.startswith("torch.nn.")
    return is_native and NUMPY_ALIASES.get(name, "") in known


class OwnFunctions:
    """The functions and classes of a file whose keywords are known."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._table = file.once(class_table)
        self._functions: dict[str, Function] = {}
        self._classes: dict[str, ast.ClassDef] = {}
        bound: dict[str, int] = {}
        for statement in file.tree.body:
            if isinstance(statement, Function):
                self._functions[statement.name] = statement
                bound[statement.name] = bound.get(statement.name, 0) + 1
            elif isinstance(statement, ast.ClassDef):
                self._classes[statement.name] = statement
                bound[statement.name] = bound.get(statement.name, 0) + 1
        named: list[Function | ast.ClassDef] = [*file.nodes(ast.FunctionDef)]
        named += [*file.nodes(ast.AsyncFunctionDef), *file.nodes(ast.ClassDef)]
        self._names = frozenset(definition.name for definition in named)
        self._several = {name for name, count in bound.items() if count > 1}

    def has_name(self, name: str) -> bool:
        """Return whether a function, class or method of the file has a name."""
        return name in self._names

    def keywords(self, call: ast.Call) -> frozenset[str] | None:
        """Return the keywords that a call of the file's own code may pass, or None if not known."""
        name = dotted(call.func)
        if name in self._several:
            return None
        if name in self._functions and self._is_module_name(name, call):
            return keywords_of(self._functions[name], is_bound=False)
        if name in self._classes and self._is_module_name(name, call):
            return self._of_class(self._classes[name])
        return self._of_method(call) if name.startswith("self.") and name.count(".") == 1 else None

    def _is_module_name(self, name: str, call: ast.Call) -> bool:
        names = self._file.source.names
        return all(name not in names.function(f).bound for f in self._file.functions(call))

    def _of_class(self, definition: ast.ClassDef) -> frozenset[str] | None:
        family = self._table.family(definition)
        if definition.decorator_list or definition.keywords or "__new__" in _names(family):
            return None
        initial = family.method("__init__")
        if initial is None or not family.foreign_bases <= PLAIN_BASES:
            own = next(iter(family.members)).methods.get("__init__")
            initial = own if own is not None and not definition.keywords else None
        return keywords_of(initial, is_bound=True) if initial is not None else None

    def _of_method(self, call: ast.Call) -> frozenset[str] | None:
        """Return the keywords of a method of the object, with those of its overrides in the file."""
        scopes = [s for s in self._file.definitions(call) if isinstance(s, ast.ClassDef)]
        name = terminal_name(call.func)
        if not scopes or self._table.family(scopes[-1]).bindings(name):
            return None
        classes = [scopes[-1], *self._table.subclasses(scopes[-1])]
        methods = [self._table.family(each).method(name) for each in classes]
        known = [keywords_of(m, is_bound=True) if m is not None else None for m in methods]
        sets = [keywords for keywords in known if keywords is not None]
        return frozenset().union(*sets) if sets and len(sets) == len(known) else None


def keywords_of(function: Function, *, is_bound: bool) -> frozenset[str] | None:
    """Return the keywords that a function takes, None if it takes any or is decorated."""
    arguments = function.args
    if isinstance(function.body[-1], ast.Raise):
        return None  # a subclass gives the signature
    decorators = {dotted(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list}
    if arguments.kwarg is not None or not decorators <= TRANSPARENT:
        return None
    named = [*arguments.args, *arguments.kwonlyargs]
    skipped = (
        1 if is_bound and "staticmethod" not in decorators and not arguments.posonlyargs else 0
    )
    return frozenset(argument.arg for argument in named[skipped:])


def _names(family: ClassFamily) -> set[str]:
    return {name for member in family.members for name in member.names}


def _are_numbered(name: str, other: str) -> bool:
    """Return whether two names differ in their digits only, such as `conv1` and `conv2`."""
    without = [name.strip("0123456789_"), other.strip("0123456789_")]
    letters = ["".join(c for c in text if not c.isdigit()) for text in (name, other)]
    return without[0] == without[1] or letters[0] == letters[1]
