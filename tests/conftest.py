"""What every test gets: a cache of its own, no settings from outside, the same examples in each run.

Tests marked `slow` say in their file why they are. Tests marked `torch` build modules: those in
`tests/esper_ref` by their folder, others by `pytestmark`. Without torch the files are left out, because most
import it, and single tests are skipped.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
OF_TORCH = TESTS / "esper_ref"
MARKS_THE_FILE = re.compile(r"^pytestmark = .*\bmark\.torch\b", re.MULTILINE)
HAS_TORCH = importlib.util.find_spec("torch") is not None

settings.register_profile("same-examples", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("same-examples")


@pytest.fixture(scope="session")
def cache_directories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give paths for directories, without a search for a free name among thousands."""
    root = tmp_path_factory.mktemp("caches")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def cache_directory(cache_directories: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the caches and records of one test apart from those of other tests and of the user."""
    directory = next(cache_directories)
    directory.mkdir()
    monkeypatch.setenv("ESPER_AUDIT_CACHE", str(directory))
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    return directory


def pytest_report_header() -> list[str]:
    """Return the line of the report's head that names what is left out."""
    return [] if HAS_TORCH else ["torch is not installed: tests that build modules are left out"]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what cannot be imported without torch; None lets pytest decide."""
    if HAS_TORCH:
        return None
    is_marked = collection_path.suffix == ".py" and bool(
        MARKS_THE_FILE.search(collection_path.read_text(encoding="utf-8"))
    )
    return True if is_marked or collection_path == OF_TORCH else None


def pytest_collection_finish() -> None:
    """Leave thousands of tests and their modules out of the collections of garbage that follow."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of `esper_ref`; skip single tests that need torch where there is none."""
    for item in items:
        if OF_TORCH in item.path.parents:
            item.add_marker("torch")
        if not HAS_TORCH and item.get_closest_marker("torch"):
            item.add_marker(pytest.mark.skip(reason="torch is not installed"))
