"""Which methods of a class, and of its subclasses, use an attribute."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

from torch import nn

WITHOUT_GRADIENT = re.compile(r"\.(item|tolist)\(")  # a detach may be a mistake
BUILDING = frozenset({"__init__", "reset_parameters", "_init_weights"})


def is_used_elsewhere(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether another method than `__init__` and `forward` mentions an attribute, and forward does not."""
    uses = _uses((base for base in kind.__mro__ if base is not nn.Module), attribute)
    return "forward" not in uses and bool(uses - BUILDING)


def is_written(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method other than a constructor writes values into a part, as a fusion of layers does."""
    pattern = rf"self\.{attribute}[\w.]*\.(data\s*=[^=]|copy_\(|data\.copy_\()"
    kinds = (base for base in kind.__mro__ if base is not nn.Module)
    return bool(_matching(kinds, pattern) - BUILDING)


def is_cut(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether each line that reads an attribute takes its value as a number, by `.item()`."""
    kinds = [base for base in kind.__mro__ if base is not nn.Module]
    methods = [(n, m) for base in kinds for n, m in vars(base).items() if inspect.isfunction(m)]
    lines = [
        line
        for name, method in methods
        if name not in BUILDING
        for line in _source(method).splitlines()
        if re.search(rf"self\.{attribute}\b", line)
    ]
    return bool(lines) and all(WITHOUT_GRADIENT.search(line) for line in lines)


def reads(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method of a class or its bases, other than a constructor, mentions an attribute."""
    return bool(
        _uses((base for base in kind.__mro__ if base is not nn.Module), attribute) - BUILDING
    )


def is_used_by_base(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a class inherits an attribute that the forward of its base uses, and its own does not."""
    own, bases = kind.__mro__[0], [base for base in kind.__mro__[1:] if base is not nn.Module]
    return not _uses([own], attribute) and "forward" in _uses(bases, attribute)


def is_used_by_subclass(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method of a subclass, other than its constructor, mentions an attribute."""
    return bool(_uses(_subclasses(kind), attribute) - BUILDING)


def _uses(kinds: Iterable[type], attribute: str) -> set[str]:
    """Return the names of the methods of some classes that mention an attribute."""
    return _matching(kinds, rf"self\.{attribute}\b")


def _matching(kinds: Iterable[type], pattern: str) -> set[str]:
    """Return the names of the methods of some classes whose text holds a pattern."""
    return {
        name
        for kind in kinds
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and re.search(pattern, _source(method))
    }


def _subclasses(kind: type[nn.Module]) -> Iterator[type[nn.Module]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _source(method: object) -> str:
    try:
        return inspect.getsource(method)  # type: ignore[arg-type]  # a function
    except (OSError, TypeError):
        return ""
