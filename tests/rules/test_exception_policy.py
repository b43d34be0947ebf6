"""What exceptions matched is recorded, growth is a finding, an end can be required and is announced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import GOOD, HASATTR, audit, command, write

TODAY = "2026-06-15"
ALLOW = f"""
[[allow]]
check = "{HASATTR}"
path = "plugins/"
owner = "Ada"
reason = "plugins of others"
"""
STRICT = 'profile = "strict"\n'
INLINE = f"# esper-audit: allow-file {HASATTR}{{}} -- hosts of others\n{GOOD}"


def project(root: Path, configuration: str, **files: str) -> Path:
    return write(root, {"esper-audit.toml": STRICT + configuration, **files})


def found(root: Path) -> dict[str, str]:
    return {finding.check: finding.message for finding in audit(root, today=TODAY).findings}


def two_plugins(root: Path, further: str) -> Path:
    return write(project(root, ALLOW + further), {"plugins/a.py": GOOD, "plugins/b.py": GOOD})


def test_what_an_exception_matched_is_in_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_plugins(tmp_path, ""))
    suppressed = json.loads(command("check", "--format", "json").out)["suppressed"]
    assert [one["suppression"]["entries"] for one in suppressed] == [[0], [0]]


def test_an_exception_that_covers_more_than_it_was_written_for_is_a_finding(tmp_path: Path) -> None:
    root = two_plugins(tmp_path, "most = 1\n")
    message = found(root)["grown-exception"]
    assert "got 2 findings, expected at most 1" in message


def test_an_exception_within_its_size_is_quiet(tmp_path: Path) -> None:
    assert found(two_plugins(tmp_path, "most = 2\n")) == {}


@pytest.mark.parametrize(
    ("policy", "given", "missing"),
    [
        ("require-expiry = true", "", "add `until YYYY-MM-DD`"),
        ("require-owner = true", " until 2027-01-01", "add `by NAME`"),
        ("require-owner = true\nrequire-expiry = true", " by Ada until 2027-01-01", ""),
        ("", "", ""),
    ],
)
def test_owner_and_last_day_can_be_required(
    tmp_path: Path, policy: str, given: str, missing: str
) -> None:
    root = project(tmp_path, f"[suppressions]\n{policy}\n")
    write(root, {"a.py": INLINE.format(given)})
    messages = found(root)
    assert set(messages) == ({"invalid-suppression", HASATTR} if missing else set())
    assert missing in messages.get("invalid-suppression", "")


def test_a_table_without_last_day_is_a_finding_where_one_is_required(tmp_path: Path) -> None:
    root = two_plugins(tmp_path, "\n[suppressions]\nrequire-expiry = true\n")
    assert "has no last day" in found(root)["invalid-suppression"]


@pytest.mark.parametrize(
    ("until", "announced"),
    [("2026-06-15", 1), ("2026-06-29", 1), ("2026-06-30", 0), ("2026-06-14", 0)],
)
def test_the_end_of_a_suppression_is_announced_while_its_finding_exists(
    tmp_path: Path, until: str, announced: int
) -> None:
    root = project(tmp_path, "")
    write(root, {"a.py": INLINE.format(f" until {until}")})
    assert len(audit(root, today=TODAY).expiring) == announced


def test_text_names_what_expires_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path, "[suppressions]\nwarn-days = 400000\n")
    write(root, {"a.py": INLINE.format(" by Ada until 2999-01-01")})
    monkeypatch.chdir(root)
    ran = command("check")
    assert ran.status == 0
    assert (
        f"Expiring soon\n  a.py:3: {HASATTR} until 2999-01-01 (Ada): hosts of others\n" in ran.out
    )
