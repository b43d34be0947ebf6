"""The imports of a text from esper_audit, and those of them that are not public."""

from __future__ import annotations

import re
from collections.abc import Iterator

import esper_audit
import esper_audit.subject

PUBLIC = {face.__name__: face.HOMES for face in (esper_audit, esper_audit.subject)}
NAMES = re.compile(
    r"\bfrom (?P<module>esper_audit(?:\.\w+)*) import (?:\((?P<many>[\w,\s|]*)|(?P<few>[\w, ]+))"
)
MODULES = re.compile(r"(?:^|[;>|])[ \t]*import (?P<module>esper_audit(?:\.\w+)*)", re.MULTILINE)


def imports_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for each name that a text imports, with an empty name for a whole module."""
    for found in NAMES.finditer(text):
        for name in re.findall(r"\w+", found["many"] or found["few"]):
            yield found["module"], name
    for found in MODULES.finditer(text):
        yield found["module"], ""


def private_imports(text: str) -> list[str]:
    """Return the imports of a text from esper_audit that no public module declares, as `module:name`."""
    return [
        f"{module}:{name}"
        for module, name in imports_in(text)
        if module not in PUBLIC or (name and name not in PUBLIC[module])
    ]
