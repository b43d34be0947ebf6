"""What every test gets: caches of its own, no colour wishes from outside, the same examples each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same-examples", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("same-examples")


@pytest.fixture(autouse=True)
def cache_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Keep caches and records of one test away from every other and from the person who runs it."""
    directory = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ESPER_AUDIT_CACHE", str(directory))
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    return directory
