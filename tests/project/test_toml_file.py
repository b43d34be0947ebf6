"""The line of a key in a TOML text, in every way in which TOML writes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from esper_audit.findings.errors import ConfigError
from esper_audit.project.toml_file import Key, line_of_key, read_toml

TEXT = '''# a comment with select = 1
select = ["a"]

ignore = [
    "b",  # one
    "c",
]
words = """
[allow]
"""
probing = {seconds = 3, workers = 1}
roles.test = ["t"]
"quoted key" = 1

[[allow]]
check = "x"

[[allow]]
# of the second
check = "y"
until = "soon"

[rules.some-rule]
max_size = 3
'''
PLACES: dict[str, tuple[tuple[Key, ...], int]] = {
    "a key": (("select",), 2),
    "a list of several lines": (("ignore", 1), 4),
    "after a text of several lines": (("probing", "workers"), 11),
    "a dotted key": (("roles", "test", 0), 12),
    "a quoted key": (("quoted key",), 13),
    "a table of a list": (("allow", 0), 15),
    "a key in the first of a list": (("allow", 0, "check"), 16),
    "a key in the second of a list": (("allow", 1, "until"), 21),
    "a missing key is its table": (("allow", 1, "reason"), 18),
    "a table": (("rules", "some-rule"), 23),
    "a key with a hyphen for an underscore": (("rules", "some_rule", "max-size"), 24),
    "nothing": (("gone",), 0),
}


@pytest.mark.parametrize(("path", "line"), PLACES.values(), ids=PLACES)
def test_a_key_has_the_line_of_its_statement(path: tuple[Key, ...], line: int) -> None:
    assert line_of_key(TEXT, path) == line


BROKEN = {
    "no value": (b"a = 1\nb =\n", "2: invalid TOML: Invalid value (column 4)"),
    "latin-1": ("a = 1\n# é\n".encode("latin-1"), "2: invalid TOML: not UTF-8: "),
    "a list without end": (b"a = 1\n\nb = [1,\n2\n", "3: invalid TOML: Unclosed array"),
    "nested too deep": (
        f"a = 1\nb = {'[' * 600}{']' * 600}\n".encode(),
        "2: invalid TOML: lists or tables are nested too deep",
    ),
}


@pytest.mark.parametrize(("content", "problem"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_toml_is_an_error_with_its_line(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_toml(str(file))
    assert str(raised.value).startswith(f"{file}:{problem}")
