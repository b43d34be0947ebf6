"""Which code sets an attribute of a module after its constructor: a method that its owner calls, or other code."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from types import FunctionType

from esper_audit.probes.subject.class_source import is_own_module, text_of_file

SETTING = (
    r"{owner}\.{name}(\s*:[^=\n]+)?\s*=[^=]"
    r"|(setattr|register_buffer|register_parameter|add_module)\(\s*(\w+,\s*)?[\"']{name}[\"']"
)
AT_BIRTH = frozenset({"__init__", "forward"})


def later_setter(kind: type, name: str) -> str:
    """Return the method, or the file, that sets an attribute of a class later than its constructor, else empty."""
    born = [text for method, text in _methods(kind) if method == "__init__"]
    by_method = re.compile(SETTING.format(owner="self", name=name))
    for method, text in _methods(kind):
        is_later = method not in AT_BIRTH and not any(f"self.{method}(" in one for one in born)
        if is_later and by_method.search(text):
            return f"`{method}()`"
    by_others = re.compile(SETTING.format(owner=r"\b(?!self\b)\w+", name=name))
    package = kind.__module__.partition(".")[0]
    for module, loaded in [*sys.modules.items()]:
        file = vars(loaded).get("__file__") or ""
        if module.partition(".")[0] == package and by_others.search(text_of_file(file)):
            return f"code in {module}"
    return ""


def _methods(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each method of a class and of its bases outside of torch."""
    own = [vars(base) for base in kind.__mro__ if is_own_module(base)]
    for name, function in (item for attributes in own for item in attributes.items()):
        if isinstance(function, FunctionType):
            yield name, inspect.getsource(function)
