"""Exceptions in the configuration: what they cover, when they run out, when they are idle, where that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, audit, write

METHOD = f"class Host:\n{''.join(f'    {line}' + chr(10) for line in GOOD.splitlines())}"


def allow(root: Path, path: str = "*.py", **more: str) -> None:
    """Write a configuration with one exception for the paths."""
    keys = {"check": HASATTR, "path": path, "reason": "agreed", "owner": "Ada", **more}
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    table = ["[tool.esper-audit]", "profile = 'strict'", "[[tool.esper-audit.allow]]", *lines, ""]
    write(root, {"pyproject.toml": "\n".join(table)})


@pytest.mark.parametrize("path", ["src/a.py", "src/", "*.py", "/src/**/a.py", "src"])
def test_an_exception_silences_the_paths_it_covers(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"src/a.py": GOOD})
    allow(tmp_path, path)
    result = audit(tmp_path)
    assert result.findings == []
    (suppressed,) = result.suppressed
    assert (suppressed.suppression.origin, suppressed.suppression.reason) == (
        "configuration",
        "agreed",
    )
    assert suppressed.suppression.owner == "Ada"


@pytest.mark.parametrize("path", ["/a.py", "tests/", "*.pyi", "src/b.py"])
def test_an_exception_leaves_other_paths_alone(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"src/a.py": GOOD})
    allow(tmp_path, path)
    assert [f.check for f in audit(tmp_path).findings] == [HASATTR]


@pytest.mark.parametrize(
    ("symbol", "silences"), [("Host.*", True), ("Host.cut", True), ("cut", False), ("*.cut", True)]
)
def test_an_exception_can_be_for_some_symbols(tmp_path: Path, symbol: str, silences: bool) -> None:
    write(tmp_path, {"a.py": METHOD})
    allow(tmp_path, symbol=symbol)
    assert (HASATTR not in [f.check for f in audit(tmp_path).findings]) == silences


def test_an_exception_that_ran_out_silences_nothing_and_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    allow(tmp_path, until="2026-06-15")
    assert audit(tmp_path, today="2026-06-15").findings == []
    found = audit(tmp_path, today="2026-06-16").findings
    assert [f.check for f in found] == [HASATTR, "expired-suppression"]
    assert found[1].message.startswith("this exception expired on 2026-06-15: ")


def test_an_idle_exception_is_found_at_its_entry(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN})
    allow(tmp_path)
    (finding,) = audit(tmp_path).findings
    assert (finding.check, finding.location.path, finding.location.line) == (
        "unused-suppression",
        "pyproject.toml",
        3,
    )
    assert finding.excerpt == "[[tool.esper-audit.allow]]"


def test_an_idle_exception_is_not_found_where_only_a_part_was_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN})
    allow(tmp_path)
    assert audit(tmp_path, tmp_path / "a.py").findings == []


def test_an_exception_of_a_check_that_did_not_run_is_not_idle(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN})
    allow(tmp_path)
    assert audit(tmp_path, select=["silent-except", "unused-suppression"]).findings == []


def test_an_exception_for_a_file_that_was_not_read_is_not_idle(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def f(:\n"})
    allow(tmp_path)
    assert audit(tmp_path).findings == []


def test_an_exception_for_paths_that_hold_nothing_is_not_called_idle(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN})
    allow(tmp_path, "somewhere/else/")
    assert audit(tmp_path).findings == []


def test_a_comment_goes_before_an_exception_which_is_then_idle(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"# esper-audit: allow-file {HASATTR} -- here\n{GOOD}"})
    allow(tmp_path)
    result = audit(tmp_path)
    assert [s.suppression.origin for s in result.suppressed] == ["file"]
    assert [f.check for f in result.findings] == ["unused-suppression"]


def test_an_exception_stays_used_when_its_file_comes_from_the_cache(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    allow(tmp_path)
    assert [audit(tmp_path, cache=True).findings for _ in range(2)] == [[], []]
