"""What a file is for: production code, a test, a script, an example; told by its path."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence


class Role(enum.StrEnum):
    """What a file is for."""

    PRODUCTION = "production"
    TEST = "test"
    SCRIPT = "script"
    EXAMPLE = "example"


DEFAULT_ROLES: Mapping[str, Sequence[str]] = {
    "test": ("tests/", "test/", "testing/", "test_*.py", "*_test.py", "conftest.py"),
    "example": ("examples/", "example/", "docs/", "doc/", "notebooks/", "tutorials/"),
    "script": ("/setup.py", "scripts/", "tools/", "benchmarks/", "benchmark/", "recipes/"),
}


class Roles:
    """Patterns, as in .gitignore, for every role but production; a test below `examples/` is a test."""

    def __init__(self, patterns: Mapping[str, Sequence[str]] = DEFAULT_ROLES) -> None:
        from pathspec import GitIgnoreSpec

        self._specs = [
            (role, GitIgnoreSpec.from_lines(patterns.get(role, ())))
            for role in (Role.TEST, Role.EXAMPLE, Role.SCRIPT)
        ]

    def of(self, path: str) -> Role:
        """Return what a file (relative to the root, with slashes) is for."""
        return next((role for role, spec in self._specs if spec.match_file(path)), Role.PRODUCTION)
