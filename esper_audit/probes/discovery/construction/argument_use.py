"""What a class asks of an argument: the attributes that it reads of it, and the classes that have them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeGuard, TypeVar

from torch import nn

from esper_audit.probes.subject.class_source import text_of_file, tree_of_file

# Any module has these.
COMMON = frozenset(dir(nn.Module)) | {"training"}
FILE_CLASSES = dict[str, ast.ClassDef]
Node = TypeVar("Node", bound=ast.expr)


@cache
def attributes_read(kind: type, name: str) -> frozenset[str]:
    """Return the attributes that a class reads of a parameter of its constructor, without those of any module."""
    found: set[str] = set()
    aliases = aliases_of(kind, name)
    for function in _methods(_builder(kind), only="__init__"):
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and _is_name(node.value, name):
                found.add(node.attr)
    for function in _methods(kind):
        reads = (node for node in ast.walk(function) if isinstance(node, ast.Attribute))
        for node in reads:
            inner = node.value
            if isinstance(inner, ast.Attribute) and inner.attr in aliases:
                found |= {node.attr} if _is_name(inner.value, "self") else set()
    return frozenset(found) - COMMON


@cache
def aliases_of(kind: type, name: str) -> frozenset[str]:
    """Return the attributes in which a class keeps a parameter of its constructor."""
    nodes = (n for f in _methods(_builder(kind), only="__init__") for n in ast.walk(f))
    kept = [n for n in nodes if isinstance(n, ast.Assign) and _is_name(n.value, name)]
    return frozenset(t.attr for n in kept for t in n.targets if isinstance(t, ast.Attribute))


def _builder(kind: type) -> type:
    """Return the class that defines the constructor of another one."""
    return next((base for base in kind.__mro__ if "__init__" in vars(base)), kind)


@dataclass(frozen=True)
class ModuleCall:
    """A call of a module: the number of its positional arguments, and the names of the others."""

    count: int
    keywords: frozenset[str] = frozenset()


def calls_of(kind: type, name: str) -> list[ModuleCall]:
    """Return the calls of a parameter of the constructor of a class that its methods make."""
    return [
        ModuleCall(len(node.args), frozenset(word.arg for word in node.keywords if word.arg))
        for node in _uses(kind, name, ast.Call, "func")
        if not any(isinstance(argument, ast.Starred) for argument in node.args)
    ]


def keys_read(kind: type, name: str) -> list[str]:
    """Return the texts by which the methods of a class subscript a parameter of its constructor, or `get` of it."""
    subscripts = [node.slice for node in _uses(kind, name, ast.Subscript, "value")]
    getters = [node for node in _uses(kind, name, ast.Attribute, "value") if node.attr == "get"]
    calls = [n for f in _methods(kind) for n in ast.walk(f) if isinstance(n, ast.Call)]
    got = [call.args[0] for call in calls if call.func in getters and call.args]
    texts = [n.value for n in (*subscripts, *got) if isinstance(n, ast.Constant)]
    return [*dict.fromkeys(text for text in texts if isinstance(text, str))]


def _uses(kind: type, name: str, use: type[Node], part: str) -> list[Node]:
    """Return the nodes of a type whose part is a parameter, or the attribute that it is kept in."""
    aliases = aliases_of(kind, name)
    owners = [
        one for one in kind.__mro__ if one.__module__ not in ("torch.nn.modules.module", "builtins")
    ]
    nodes = (n for one in owners for f in _methods(one) for n in ast.walk(f) if isinstance(n, use))
    return [n for n in nodes if _is_argument(vars(n)[part], name, aliases)]


def _is_argument(node: ast.expr, name: str, aliases: frozenset[str]) -> bool:
    """Return whether an expression is a parameter, or an attribute of `self` that keeps it."""
    if isinstance(node, ast.Attribute):
        return node.attr in aliases and _is_name(node.value, "self")
    return _is_name(node, name)


def attributes_of_name(kind: type, name: str) -> list[str]:
    """Return the attributes that the file of a class reads of what has the name of a parameter, in order."""
    text = text_of_file(inspect.getsourcefile(kind) or "")
    read = re.compile(rf"(?<![\w.])(?:self\.)?{re.escape(name)}\.([A-Za-z_]\w*)(?!\w|\s*\()")
    return [*dict.fromkeys(read.findall(text))]


def classes_with(kind: type, attributes: Iterable[str], keyword: str = "") -> list[type]:
    """Return the other classes of the package that set attributes, those with most of them first.

    `keyword` is a parameter that their `forward` must have.
    """
    wanted = frozenset(attributes)
    words = "|".join(map(re.escape, sorted(wanted | {keyword} - {""})))
    is_near = re.compile(rf"\b(?:{words})\b\s*[:=(,)]").search
    ranked: list[tuple[int, int, type]] = []
    for number, candidate in enumerate(package_classes(kind.__module__.partition(".")[0])):
        file = vars(sys.modules[candidate.__module__]).get("__file__") or ""
        if candidate is kind or not is_near(text_of_file(file)):
            continue
        count = len(wanted & attributes_set(candidate)) + _takes(candidate, keyword)
        if count and (not keyword or _takes(candidate, keyword)):
            ranked.append((-count, number, candidate))
    return [candidate for _, _, candidate in sorted(ranked, key=lambda one: one[:2])]


def record_classes(kind: type) -> list[type]:
    """Return the dataclasses and named tuples of the package of a class, those of its own module first."""
    found = [
        one
        for one in package_classes(kind.__module__.partition(".")[0])
        if (dataclasses.is_dataclass(one) or (issubclass(one, tuple) and "_fields" in dir(one)))
        and not issubclass(one, nn.Module)
    ]
    return sorted(found, key=lambda one: one.__module__ != kind.__module__)


def _takes(kind: type, keyword: str) -> bool:
    """Return whether the `forward` of a class has a parameter."""
    forward = inspect.getattr_static(kind, "forward", None)
    return inspect.isfunction(forward) and keyword in forward.__code__.co_varnames


@cache
def attributes_set(kind: type) -> frozenset[str]:
    """Return the attributes that a class and its bases set or define."""
    package = kind.__module__.partition(".")[0]
    own = [base for base in kind.__mro__ if base.__module__.partition(".")[0] == package]
    found: set[str] = set()
    for base in own:
        found |= set(vars(base)) | set(vars(base).get("__annotations__", {}))
        nodes = (node for function in _methods(base) for node in ast.walk(function))
        found |= {node.attr for node in nodes if _is_set_on_self(node)}
    return frozenset(found)


def _is_set_on_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Return whether a node assigns an attribute of `self`."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
        return False
    return _is_name(node.value, "self")


def _is_name(node: ast.expr, name: str) -> bool:
    """Return whether an expression is a name."""
    return isinstance(node, ast.Name) and node.id == name


def _methods(kind: type, only: str = "") -> Iterator[ast.FunctionDef]:
    module = sys.modules.get(kind.__module__)
    node = _classes_in((module and module.__dict__.get("__file__")) or "").get(kind.__qualname__)
    for statement in node.body if node else ():
        if isinstance(statement, ast.FunctionDef) and only in ("", statement.name):
            yield statement


@cache
def _classes_in(path: str) -> FILE_CLASSES:
    """Return the classes that a file defines at its top and inside these, by qualified name."""
    found: FILE_CLASSES = {}
    pending = [("", node) for node in tree_of_file(path).body]
    while pending:
        prefix, node = pending.pop()
        if isinstance(node, ast.ClassDef):
            found[prefix + node.name] = node
            pending += [(f"{prefix}{node.name}.", inner) for inner in node.body]
    return found


@cache
def package_classes(package: str) -> list[type]:
    """Return the classes that the imported modules of a package define."""
    modules = [
        m for n, m in sys.modules.items() if n.partition(".")[0] == package and m is not None
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
