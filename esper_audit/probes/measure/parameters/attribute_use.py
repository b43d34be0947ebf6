"""Which methods of a class, and of its subclasses, use an attribute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from torch import nn

from esper_audit.probes.subject.class_source import method_texts

WITHOUT_GRADIENT = re.compile(r"\.(item|tolist)\(")  # a detach may be a mistake
BUILDING = frozenset({"__init__", "reset_parameters", "_init_weights"})


def is_used_elsewhere(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether another method than `__init__` and `forward` mentions an attribute, and forward does not."""
    uses = _uses(_classes(kind), attribute)
    return "forward" not in uses and bool(uses - BUILDING)


def is_written(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method other than a constructor writes values into a part, as a fusion of layers does."""
    pattern = rf"self\.{attribute}[\w.]*\.(data\s*=[^=]|copy_\(|data\.copy_\()"
    return bool(_matching(_classes(kind), pattern) - BUILDING)


def is_cut(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether each line that reads an attribute takes its value as a number, by `.item()`."""
    lines = [
        line
        for name, text in method_texts(_classes(kind))
        if name not in BUILDING
        for line in text.splitlines()
        if re.search(rf"self\.{attribute}\b", line)
    ]
    return bool(lines) and all(WITHOUT_GRADIENT.search(line) for line in lines)


def reads(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method of a class or its bases, other than a constructor, mentions an attribute."""
    return bool(_uses(_classes(kind), attribute) - BUILDING)


def is_used_by_base(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a class inherits an attribute that the forward of its base uses, and its own does not."""
    own, *bases = _classes(kind)
    return not _uses([own], attribute) and "forward" in _uses(bases, attribute)


def is_used_by_subclass(kind: type[nn.Module], attribute: str) -> bool:
    """Return whether a method of a subclass, other than its constructor, mentions an attribute."""
    return bool(_uses(_subclasses(kind), attribute) - BUILDING)


def _uses(kinds: Iterable[type], attribute: str) -> set[str]:
    """Return the names of the methods of some classes that mention an attribute."""
    return _matching(kinds, rf"self\.{attribute}\b")


def _matching(kinds: Iterable[type], pattern: str) -> set[str]:
    """Return the names of the methods of some classes whose text holds a pattern."""
    return {name for name, text in method_texts(kinds) if re.search(pattern, text)}


def _classes(kind: type[nn.Module]) -> list[type]:
    """Return a class and its bases, without that of all modules."""
    return [base for base in kind.__mro__ if base is not nn.Module]


def _subclasses(kind: type[nn.Module]) -> Iterator[type[nn.Module]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
