"""The fixture `watched_training` fails a test whose loop breaks a contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Slow: pytest runs in a process of its own, with torch.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

TESTS = """
import torch
from torch import nn
from torch.nn import functional as F


def loop(clear):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        if clear:
            optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def test_a_sound_loop(watched_training):
    loop(clear=True)


def test_a_broken_loop(watched_training):
    loop(clear=False)


def test_nothing_is_watched_without_the_fixture():
    loop(clear=False)
"""


def test_it_fails_the_broken_loop_alone(tmp_path: Path) -> None:
    (tmp_path / "test_training.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "PASSED test_training.py::test_a_sound_loop" in done.stdout, done.stdout
    assert "PASSED test_training.py::test_nothing_is_watched" in done.stdout
    assert "ERROR test_training.py::test_a_broken_loop" in done.stdout
    assert "test_training.py:15: gradients-cleared: the gradients of an earlier step" in done.stdout
