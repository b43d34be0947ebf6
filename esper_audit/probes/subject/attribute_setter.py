"""Which code sets an attribute of a module after its constructor, and which code outside of its class calls it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator

from esper_audit.probes.subject.class_source import is_own_module, method_texts, text_of_file

SETTING = (
    r"{owner}\.{name}(\s*:[^=\n]+)?\s*=[^=]"
    r"|(setattr|register_buffer|register_parameter|add_module)\(\s*(\w+,\s*)?[\"']{name}[\"']"
)
OF_ANOTHER = r"\b(?!self\b)\w+"
AT_BIRTH = frozenset({"__init__", "forward"})


def later_setter(kind: type, name: str) -> str:
    """Return the method, or the file, that sets an attribute of a class later than its constructor, else empty."""
    born = [text for method, text in _methods(kind) if method == "__init__"]
    by_method = re.compile(SETTING.format(owner="self", name=name))
    for method, text in _methods(kind):
        is_later = method not in AT_BIRTH and not any(f"self.{method}(" in one for one in born)
        if is_later and by_method.search(text):
            return f"`{method}()`"
    module = _module_with(kind, re.compile(SETTING.format(owner=OF_ANOTHER, name=name)))
    return f"code in {module}" if module else ""


def outer_caller(kind: type, name: str) -> str:
    """Return the module of the package in which an attribute of another object than `self` is called by this name.

    Empty if there is none.
    """
    return _module_with(kind, re.compile(rf"{OF_ANOTHER}\.{name}(\.forward)?\("))


def is_filled(kind: type, name: str) -> bool:
    """Return whether a method other than a constructor writes into an attribute, or sets it."""
    pattern = re.compile(rf"self\.{name}(\[.*\])?\s*[-+*/]?=[^=]|self\.{name}\.\w+_\(")
    return any(pattern.search(text) for method, text in _methods(kind) if method != "__init__")


def companion_of(kind: type, name: str, option: str) -> str:
    """Return another argument of a constructor, None by default, that it wants for setting an attribute.

    Empty if it sets the attribute under no such condition.
    """
    parameters = inspect.signature(kind).parameters.values()
    others = {p.name for p in parameters if p.default is None and p.name != option}
    constructors = [text for method, text in _methods(kind) if method == "__init__"]
    nodes = (n for text in constructors for n in ast.walk(ast.parse(textwrap.dedent(text))))
    tests = (n.test for n in nodes if isinstance(n, ast.If) and _sets(n, name))
    named = {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)}
    return min(others & named, default="")


def _sets(statement: ast.If, name: str) -> bool:
    """Return whether the body of a condition sets an attribute of `self`."""
    targets = (
        node for one in statement.body for node in ast.walk(one) if isinstance(node, ast.Attribute)
    )
    return any(isinstance(one.ctx, ast.Store) and one.attr == name for one in targets)


def _module_with(kind: type, pattern: re.Pattern[str]) -> str:
    """Return the first imported module of the package of a class whose text holds a pattern, else empty."""
    package = kind.__module__.partition(".")[0]
    for module, loaded in [*sys.modules.items()]:
        file = vars(loaded).get("__file__") or ""
        if module.partition(".")[0] == package and pattern.search(text_of_file(file)):
            return module
    return ""


def _methods(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each method of a class and of its bases outside of torch."""
    return method_texts(filter(is_own_module, kind.__mro__))
