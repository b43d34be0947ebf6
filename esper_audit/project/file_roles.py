"""The role of a file by its path: production code, test, script or example."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from esper_audit.project.path_patterns import PathPatterns


class Role(enum.StrEnum):
    """The role of a file."""

    PRODUCTION = "production"
    TEST = "test"
    SCRIPT = "script"
    EXAMPLE = "example"


PRODUCTION_ONLY = frozenset({Role.PRODUCTION})
OUTSIDE_TESTS = frozenset({Role.PRODUCTION, Role.SCRIPT, Role.EXAMPLE})
EVERY_ROLE = frozenset(Role)

DEFAULT_ROLES: Mapping[str, Sequence[str]] = {
    "test": ("tests/", "test/", "testing/", "test_*.py", "*_test.py", "conftest.py"),
    "example": ("examples/", "example/", "docs/", "doc/", "notebooks/", "tutorials/"),
    "script": (
        "setup.py",
        "noxfile.py",
        "scripts/",
        "tools/",
        "benchmarks/",
        "benchmark/",
        "recipes/",
    ),
}


class Roles:
    """The patterns, as in .gitignore, of all roles but production.

    A test below `examples/` is a test.
    """

    def __init__(self, patterns: Mapping[str, Sequence[str]] = DEFAULT_ROLES) -> None:
        self._specs = [
            (role, PathPatterns(patterns.get(role, ())))
            for role in (Role.TEST, Role.EXAMPLE, Role.SCRIPT)
        ]

    def of(self, path: str) -> Role:
        """Return the role of a file, whose path is relative to the root and has slashes."""
        return next((role for role, spec in self._specs if spec.is_match(path)), Role.PRODUCTION)
