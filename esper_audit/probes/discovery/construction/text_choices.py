"""The texts that a package compares an argument with, or passes by its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from esper_audit.probes.subject.class_source import text_of_file

TEXT = r"['\"][\w\-./]+['\"]"
ITEM = rf"(?:{TEXT}|[A-Za-z_][\w.]*)"
LISTED = rf"[\[({{{{]?\s*{ITEM}(?:\s*,\s*{ITEM})*"
COMPARED = (
    r"(?<![\w'\"]){name}(?:\.(?:lower|upper|strip|casefold)\(\))?\s*(?:[!=]=|(?:not )?in)\s*("
    + LISTED
    + ")"
)
# A table that is subscripted: `LAYERS[name]`, `register.layers.get(config.name)`.
LOOKED_UP = r"([A-Za-z_][\w.]*)(?:\[|\.get\()\s*(?:\w+\.)*{name}(?:\.(?:lower|upper)\(\))?\s*[\]),]"
HELD = r"({text})\s+(?:not )?in\s+(?:\w+\.)*{name}\b"
ENTRY = r"['\"]{name}['\"]\s*:\s*({text})"
GIVEN = r"\b{name}\s*(?::\s*[\w\[\], |.'\"]+?)?\s*=\s*({text})"
PASSED = r"\b(\w+)\s*=\s*(?:\w+\.)*{name}\b(?!\s*[=(\[.])"
MOST_TEXTS = 8
MOST_ALIASES = 2


def texts_of_name(owner: type, name: str) -> list[str]:
    """Return the texts that are likely values of an argument of a class, what its own file compares it with first."""
    return [*_texts(owner.__module__, name)][:MOST_TEXTS]


def compared_texts(owner: type, name: str) -> list[str]:
    """Return the texts that the file of a class compares an argument with."""
    module = sys.modules.get(owner.__module__)
    return [*dict.fromkeys(_compared(module, name))][:MOST_TEXTS] if module else []


@cache
def _texts(module_name: str, name: str) -> tuple[str, ...]:
    own = sys.modules.get(module_name)
    package = module_name.partition(".")[0]
    others = [m for n, m in sys.modules.items() if n.partition(".")[0] == package and m is not own]
    modules = [m for m in (own, *others) if m is not None and name in _text(m)]
    found = dict.fromkeys(_compared(own, name)) if own else {}
    for module in modules:
        found |= dict.fromkeys(_given(module, name))
    aliases = [alias for m in modules[:MOST_ALIASES] for alias in _aliases(m, name)]
    for alias in dict.fromkeys(aliases[:MOST_ALIASES]):
        for module in others if not found else ():
            found |= dict.fromkeys(_compared(module, alias))
        found |= dict.fromkeys(_compared(own, alias)) if own else {}
    for module in modules[1:]:
        found |= dict.fromkeys(_compared(module, name))
    return tuple(found)


def _text(module: ModuleType) -> str:
    return text_of_file(vars(module).get("__file__") or "")


def _compared(module: ModuleType, name: str) -> Iterator[str]:
    """Yield the texts that a module compares a name with, also by constants and tables of its own."""
    text = _text(module)
    if name not in text:
        return
    pattern = COMPARED.format(name=re.escape(name))
    for listed in re.findall(pattern, text):
        for item in re.findall(ITEM, listed):
            yield from _values(module, item)
    for table in re.findall(LOOKED_UP.format(name=re.escape(name)), text):
        yield from _values(module, table)
    for item in re.findall(HELD.format(name=re.escape(name), text=TEXT), text):
        yield item[1:-1]


def _given(module: ModuleType, name: str) -> Iterator[str]:
    """Yield the texts that a module passes by a name, has as its default, or as an entry of a table."""
    for pattern in (GIVEN, ENTRY):
        for item in re.findall(pattern.format(name=re.escape(name), text=TEXT), _text(module)):
            yield item[1:-1]


def _aliases(module: ModuleType, name: str) -> list[str]:
    """Return the other names by which a module passes a name on."""
    found = re.findall(PASSED.format(name=re.escape(name)), _text(module))
    return [one for one in dict.fromkeys(found) if one != name]


def _values(module: ModuleType, item: str) -> Iterator[str]:
    """Yield the texts that an item of source code is: a literal, a constant, or the keys of a table."""
    if item[0] in "'\"":
        yield item[1:-1]
        return
    first, *rest = item.split(".")
    value = vars(module).get(first)
    for name in rest:
        value = vars(value).get(name) if isinstance(value, (type, ModuleType)) else None
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple, set, frozenset)):
        yield from (one for one in value if isinstance(one, str))
