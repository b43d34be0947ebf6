"""The patterns of paths, compared with pathspec."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pathspec import GitIgnoreSpec

from esper_audit.project.config_tables import Config
from esper_audit.project.file_roles import DEFAULT_ROLES
from esper_audit.project.path_patterns import PathPatterns

LINES = [
    *(pattern for patterns in DEFAULT_ROLES.values() for pattern in patterns),
    "*.py[cod]", "*$py.class", "build", "/build", "/build/", "a/b", "a/b/", "/a/b", "a*/b?", "a/*", "a/*/b", "*",
    "*/", "/*", "**/b", "a/**", "a/**/b", "**", "!b.py", "\\!b.py", "# note", "\\#a", "", " ", "b ", "[!a]b", "[a-c]b",
    "a[bc]", "x y", "./a", "../a", ".", "..", "?", "??/b", "a.b", "a+b", "ünï", "a//b", "test_*", "*_*.py", "a/b*",
]  # fmt: skip
PATHS = [
    "a", "a/", "b", "b/", "a/b", "a/b/", "a/b/c", "x/a/b", "x/a/b/", "build", "build/", "x/build/y.py", "a/b.py",
    "test_a.py", "tests/a.py", "x/tests/a.py", "tests", "x/test_a.py", "x/a_test.py", "conftest.py", "x/conftest.py",
    "a.pyc", "x/a.pyo", "a$py.class", "ab", "ac", "xb", "./a", "./a/b", "/a", "/a/b", "../a", "x/../a", "x y",
    "a1/b2", "a1/b2/c", "a.b", "axb", "a+b", "ünï", "x/ünï/y", "!b.py", "#a", "b.py", "docs/a.py", "x/docs/", "a\nb",
]  # fmt: skip


def spec_of(lines: list[str]) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return None


@pytest.mark.parametrize("line", LINES)
def test_one_pattern_matches_the_paths_that_pathspec_matches(line: str) -> None:
    spec = spec_of([line])
    if spec is None:
        with pytest.raises(ValueError, match="pattern"):
            PathPatterns([line])
        return
    patterns = PathPatterns([line])
    expected = {path: spec.check_file(path).include for path in PATHS}
    assert {path: patterns.verdict(path) for path in PATHS} == expected


def test_several_patterns_match_the_paths_that_pathspec_matches() -> None:
    valid = [line for line in LINES if spec_of([line]) and not line.startswith("!")]
    for first, second in zip(valid, valid[7:], strict=False):
        for lines in ([first, second], [second, "!b.py", first]):
            spec, patterns = GitIgnoreSpec.from_lines(lines), PathPatterns(lines)
            for path in PATHS:
                assert patterns.is_match(path) == spec.match_file(path), (lines, path)


def test_the_default_roles_need_no_pathspec() -> None:
    code = (
        "import sys\n"
        "from esper_audit.project.file_roles import Roles\n"
        "assert Roles().of('x/tests/a.py') == 'test'\n"
        "print('pathspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert Config().exclude == []
