"""The module classes of packages other than torch, and the text and syntax tree of a file."""

from __future__ import annotations

import ast
from functools import cache

from torch import nn


def is_own_module(kind: type) -> bool:
    """Return whether a class is a module class of a package other than torch."""
    return issubclass(kind, nn.Module) and not kind.__module__.startswith("torch.")


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
