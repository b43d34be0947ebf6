"""Which edits a fingerprint survives, and which are left to the matcher that compares two runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.audit_runs import HASATTR, audit, write
from support.local_rules import with_rule

from esper_audit.tracking.fingerprint import fingerprint, normalised_code

BASE = """\
def alpha(host):
    if hasattr(host, "segments"):
        return 1


def beta(host, other):
    if hasattr(host, "segments"):
        return 2
    return hasattr(other, 'dim')
"""
SAME = {
    "lines above": f"import torch\n\n\n{BASE}",
    "a function between": BASE.replace("def beta", "def between():\n    pass\n\n\ndef beta"),
    "the next line": BASE.replace("return 1", "return 1 + 2"),
    "re-indent": BASE.replace("    if hasattr(host", "    if 1:\n     if hasattr(host").replace(
        "        return", "            return"
    ),
    "tabs": BASE.replace("    ", "\t"),
    "over lines": BASE.replace('(host, "segments")', '(\n        host,\n        "segments",\n    )'),
    "spaces": BASE.replace('(host, "segments")', '( host,"segments" )'),
    "a comment on the line": BASE.replace('"segments"):', '"segments"):  # why'),
    "a comment inside": BASE.replace('(host, "segments")', '(host,  # why\n      "segments")'),
    "parentheses": BASE.replace('hasattr(host, "segments")', '((hasattr((host), ("segments"))))'),
    "quotes": BASE.replace('"segments"', "'segments'").replace("'dim'", '"""dim"""'),
    "a string in two parts": BASE.replace('"segments"', '"seg" "ments"'),
    "moved functions": BASE.partition("\n\n\n")[2] + "\n\n" + BASE.partition("\n\n\n")[0] + "\n",
    "CRLF": BASE.replace("\n", "\r\n"),
    "asynchronous": BASE.replace("def alpha", "async def alpha"),
}  # fmt: skip
NOT_BY_A_HASH_ALONE = {
    "a renamed function": (BASE.replace("def alpha", "def first"), 1, 1),
    "a renamed variable": (BASE.replace("other", "another"), 1, 1),
    "one repaired": (BASE.replace("hasattr(other, 'dim')", "other.dim"), 1, 0),
    "one repaired, one added elsewhere": (
        BASE.replace("hasattr(other, 'dim')", "other.dim").replace(
            "return 1", "return hasattr(host, 'dim')"
        ),
        1,
        1,
    ),
    "one added after": (f"{BASE}\ndef gamma(host):\n    return hasattr(host, 'x')\n", 0, 1),
    "the same added before, in the same function": (
        BASE.replace(
            "def beta(host, other):\n", "def beta(host, other):\n    hasattr(host, 'segments')\n"
        ),
        0,
        1,
    ),
}


def prints(root: Path, code: str) -> set[str]:
    write(root, {"a.py": code.encode()})
    findings = audit(root, select=[HASATTR]).findings
    identities = {finding.fingerprint for finding in findings}
    assert len(identities) == len(findings) >= 1
    return identities


@pytest.mark.parametrize("edited", SAME.values(), ids=SAME)
def test_an_edit_that_changes_no_finding_changes_no_fingerprint(
    tmp_path: Path, edited: str
) -> None:
    before, after = prints(tmp_path, BASE), prints(tmp_path, edited)
    assert len(before) == 3
    assert after == before


@pytest.mark.parametrize(
    ("edited", "gone", "new"), NOT_BY_A_HASH_ALONE.values(), ids=NOT_BY_A_HASH_ALONE
)
def test_an_edit_of_the_code_changes_the_fingerprint(
    tmp_path: Path, edited: str, gone: int, new: int
) -> None:
    """Renames read as one gone and one new here: bringing them together is the matcher's business."""
    before, after = prints(tmp_path, BASE), prints(tmp_path, edited)
    assert (len(before - after), len(after - before)) == (gone, new)


def test_a_renamed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    """The matcher pairs a file that vanished with one that appeared; `--since` asks git."""
    before = prints(tmp_path, BASE)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    after = {finding.fingerprint for finding in audit(tmp_path, select=[HASATTR]).findings}
    assert before & after == set()


def test_equal_findings_in_one_function_have_different_fingerprints(tmp_path: Path) -> None:
    assert len(prints(tmp_path, "def f(a):\n    hasattr(a, 'x'), hasattr(a, 'x')\n")) == 2


EXCEPT = "try:\n    old(1)\nexcept (A, B) as e:\n    x = 'y'\n"


@pytest.mark.parametrize(
    "edited",
    [
        EXCEPT.replace("as e:", "as e:  # why"),
        EXCEPT.replace("    x =", "    # why\n    x ="),
        EXCEPT.replace("(A, B)", "(A,\n        B)"),
        EXCEPT.replace("'y'", '"y"'),
    ],
)
def test_a_handler_keeps_its_fingerprint(tmp_path: Path, edited: str) -> None:
    members = 'triggers = Triggers(nodes=frozenset({"ExceptHandler"}))\n'
    with_rule(tmp_path, "handler", "yield Violation(node, 'a handler')", members=members)
    write(tmp_path, {"a.py": EXCEPT})
    (before,) = audit(tmp_path, select=["handler"]).findings
    write(tmp_path, {"a.py": edited})
    (after,) = audit(tmp_path, select=["handler"]).findings
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*args", "* args  # why"),
        ("a as b", "a  as  b"),
        ("case [1]:\n    pass", "case [1]:  # why\n    pass"),
        ("else:\n    pass", "else:\n    # why\n    pass"),
    ],
)
def test_code_that_does_not_parse_counts_by_its_words(one: str, other: str) -> None:
    assert normalised_code(one) == normalised_code(other)


@pytest.mark.parametrize(
    "code", ["", "((", "'", '"""', "\\", "\0", "f(" * 300, "é(", "a" + " + a" * 9000]
)
def test_any_code_has_a_fingerprint(code: str) -> None:
    made = fingerprint(check="c", path="p", symbol="s", code=code, ordinal=0)
    assert len(made) == 16


TEXT = st.text(min_size=0, max_size=12)


@given(TEXT, TEXT, TEXT, TEXT, st.integers(0, 3))
def test_every_part_of_a_fingerprint_counts(
    check: str, path: str, symbol: str, code: str, ordinal: int
) -> None:
    made = fingerprint(check=check, path=path, symbol=symbol, code=code, ordinal=ordinal)
    others = {
        fingerprint(check=check + "x", path=path, symbol=symbol, code=code, ordinal=ordinal),
        fingerprint(check=check, path=path + "x", symbol=symbol, code=code, ordinal=ordinal),
        fingerprint(check=check, path=path, symbol=symbol + "x", code=code, ordinal=ordinal),
        fingerprint(check=check, path=path, symbol=symbol, code=code, ordinal=ordinal + 1),
    }
    assert made not in others
    assert len(others) == 4


def test_a_fingerprint_is_equal_in_every_version_of_python() -> None:
    code = 'f(x, None, key="a", *rest)[1:, None] if not done else lambda: 0.5'
    assert fingerprint(check="c", path="p", symbol="s", code=code, ordinal=0) == "88eec8aaaa408478"
