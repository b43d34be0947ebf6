"""Every test here runs on one thread and from one random seed."""

from __future__ import annotations

from enum import Enum

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _same_random_seed() -> None:
    torch.manual_seed(0)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a stage or a choice by its name: an IntEnum would be a bare number."""
    return val.name.lower() if isinstance(val, Enum) else None
