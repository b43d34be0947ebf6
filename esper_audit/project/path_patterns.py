"""Patterns of paths as in .gitignore: plain ones as one regular expression, all others by pathspec.

The import of pathspec takes as long as the check of a dozen files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PART = r"(?:[\w.~$+@,=-]|\*(?!\*)|\?|\[[A-Za-z0-9]+\])+"
PLAIN = re.compile(rf"/?(?!\*/?$)(?:{PART}/)*(?!\*/?$){PART}/?")
WILDCARD = re.compile(r"\*|\?|\[\w+\]|[^*?[]+")
LONE_WILDCARD = re.compile(r"(?:^|/)(?:\*|\.\.?)(?:/|$)")  # means something else than in a name
IN_REGEX = {"*": "[^/]*", "?": "[^/]"}


class PathPatterns:
    """The patterns of a .gitignore file or of the configuration.

    Raises:
        ValueError: A line is no pattern.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        own = [line for line in lines if line and not line.startswith("#")]
        self._spec: GitIgnoreSpec | None = None
        self._plain: re.Pattern[str] | None = None
        if all(map(_is_plain, own)):
            self._plain = re.compile("|".join(map(_regex, own))) if own else None
        else:
            from pathspec import GitIgnoreSpec

            self._spec = GitIgnoreSpec.from_lines(lines)

    def verdict(self, path: str) -> bool | None:
        """Return whether the last pattern that matches a path includes it, None if no pattern matches.

        The path has slashes, and one at the end if it is of a directory.
        """
        if self._spec is not None:
            return self._spec.check_file(path).include
        if self._plain is None:
            return None
        return True if self._plain.match(_normalised(path)) else None

    def is_match(self, path: str) -> bool:
        """Return whether a path is included."""
        return bool(self.verdict(path))


def is_pattern(line: str) -> bool:
    """Return whether a line is a valid pattern of .gitignore, unlike `!`."""
    try:
        PathPatterns([line])
    except ValueError:
        return False
    return True


def _is_plain(line: str) -> bool:
    return PLAIN.fullmatch(line) is not None and LONE_WILDCARD.search(line) is None


def _regex(line: str) -> str:
    """Return a plain pattern as a regular expression for the start of a path."""
    body = line.strip("/")
    parts = (
        IN_REGEX.get(part, part if part.startswith("[") else re.escape(part))
        for part in WILDCARD.findall(body)
    )
    is_anchored = "/" in line.removesuffix("/")
    end = "/" if line.endswith("/") else r"(?:/|\Z)"
    return ("" if is_anchored else "(?:.+/)?") + "".join(parts) + end


def _normalised(path: str) -> str:
    """Return a path as pathspec compares it."""
    return path.removeprefix("/") if path.startswith("/") else path.removeprefix("./")
