"""The claim `test`: pytest nodes that pass, fail, are skipped, are gone, or end the process."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, replies

from esper_audit.claims.reply import Reply

# Slow: each claim runs pytest in a process of its own.
pytestmark = pytest.mark.slow

FILES = {
    "tests/test_good.py": """
import pytest


def test_passes():
    assert True


@pytest.mark.parametrize("x", [1, 2])
def test_many(x):
    assert x < 3


def test_fails():
    assert 1 + 1 == 3


@pytest.mark.parametrize("x", [1, 9])
def test_one_of_many_fails(x):
    assert x < 3


@pytest.mark.skip(reason="no such machine here")
def test_skipped():
    assert False


@pytest.mark.xfail(reason="known since May", strict=True)
def test_known_to_fail():
    assert False


@pytest.fixture
def broken():
    raise RuntimeError("no fixture today")


def test_needs_it(broken):
    assert True


class TestGroup:
    def test_inside(self):
        assert True
""",
    "tests/test_imports.py": "import no_such_package\n\n\ndef test_it():\n    assert True\n",
    "tests/test_empty.py": "x = 1\n",
    "tests/test_crash.py": """
import os


def test_before():
    assert True


def test_it():
    os.kill(os.getpid(), 11)
""",
}
CASES = {
    "test_good.py::test_passes": ("holds", "1 test passed"),
    "test_good.py::test_many": ("holds", "2 tests passed"),
    "test_good.py::test_many[2]": ("holds", "1 test passed"),
    "test_good.py::TestGroup": ("holds", "1 test passed"),
    "test_good.py::TestGroup::test_inside": ("holds", "1 test passed"),
    "test_good.py::test_fails": ("refuted", "assert (1 + 1) == 3"),
    "test_good.py::test_one_of_many_fails": ("refuted", "assert 9 < 3"),
    "test_good.py::test_known_to_fail": ("refuted", "fails: as expected: known since May"),
    "test_good.py": ("refuted", "more)"),
    "test_good.py::test_needs_it": ("refuted", "no fixture today"),
    "test_good.py::test_gone": ("stale", "collects nothing"),
    "test_good.py::test_many[7]": ("stale", "collects nothing"),
    "test_empty.py": ("stale", "collects nothing"),
    "test_nowhere.py::test_it": ("stale", "there is no file tests/test_nowhere.py"),
    "test_good.py::test_skipped": ("cannot-tell", "skipped: no such machine here"),
    "test_imports.py::test_it": ("cannot-tell", "does not load: ModuleNotFoundError"),
    "test_crash.py::test_before": ("holds", "1 test passed"),
    "test_crash.py": ("cannot-tell", "pytest ended with status -11"),
    "test_crash.py::test_it": ("cannot-tell", "pytest ended with status -11"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Reply]:
    queries = {node: {"kind": "test", "node": f"tests/{node}"} for node in CASES}
    return replies(tmp_path_factory.mktemp("tree"), FILES, queries)


@pytest.mark.parametrize("node", CASES)
def test_a_node_answers_for_itself_whatever_its_neighbours_do(results, node: str) -> None:
    answer, words = CASES[node]
    assert (results[node].answer, words in results[node].evidence) == (answer, True), results[node]


def test_a_run_that_cannot_begin_is_no_missing_test(tmp_path) -> None:
    files = {**FILES, "pytest.ini": "[pytest]\naddopts = --no-such-option\n"}
    queries = {"it": {"kind": "test", "node": "tests/test_good.py::test_passes"}}
    result = replies(tmp_path, files, queries)["it"]
    assert (result.answer, "status 4" in result.evidence) == ("cannot-tell", True)


@pytest.mark.parametrize("node", ["-x", "", "a b.py", "a.py:test"])
def test_what_is_no_node_is_refused(node: str) -> None:
    with pytest.raises(ValidationError, match=r"\$.node"):
        claim(kind="test", node=node)
