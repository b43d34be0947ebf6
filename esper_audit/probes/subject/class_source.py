"""The module classes of packages other than torch, and the text and syntax tree of a file."""

from __future__ import annotations

import ast
import contextlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache

from torch import nn

NOT_COMPUTING = frozenset({"__init__", "__repr__", "extra_repr", "reset_parameters"})


def is_own_module(kind: type) -> bool:
    """Return whether a class is a module class of a package other than torch."""
    return issubclass(kind, nn.Module) and not kind.__module__.startswith("torch.")


def own_parts(module: nn.Module) -> list[nn.Module]:
    """Return a module and its parts without those of torch."""
    return [part for part in module.modules() if is_own_module(type(part))]


def is_renamed_layer(kind: type) -> bool:
    """Return whether a class is a layer of torch with another name or constructor, and computes nothing itself."""
    bases = kind.__mro__
    layers = [base for base in bases if base.__module__.startswith("torch.nn.")]
    if not is_own_module(kind) or layers[0] in (nn.Module, nn.Sequential):
        return False
    own = [base for base in bases if not base.__module__.startswith(("torch.", "builtins"))]
    functions = {name for base in own for name, v in vars(base).items() if inspect.isfunction(v)}
    return functions.isdisjoint({*dir(layers[0])} - NOT_COMPUTING)


def method_texts(kinds: Iterable[type]) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each method of some classes, without those whose code is in no file."""
    for name, function in (item for kind in kinds for item in vars(kind).items()):
        if inspect.isfunction(function):
            with contextlib.suppress(OSError):
                yield name, inspect.getsource(function)


def text_of_file(path: str) -> str:
    """Return the text of a file, empty if it cannot be read."""
    try:
        return _read(path)
    except OSError:
        return ""


@cache
def tree_of_file(path: str) -> ast.Module:
    """Return the syntax tree of a file, an empty one if it cannot be read or is no Python."""
    try:
        return ast.parse(text_of_file(path))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


@cache
def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
