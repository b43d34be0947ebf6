"""A training loop, one with a mistake, and `esper-audit watch` on a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

LOOP = """
import sys
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x, y = torch.randn(24, 6), torch.randint(0, 3, (24,))
model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)


def train():
    for step in range(6):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


train()
print(sum(p.double().sum().item() for p in model.parameters()), torch.rand(1).item())
"""
MISSING = LOOP.replace("        optimizer.zero_grad()\n", "")


def watch(folder: Path, *arguments: str, script: str = LOOP) -> subprocess.CompletedProcess[str]:
    (folder / "pyproject.toml").touch()
    (folder / "train.py").write_text(dedent(script), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "esper_audit", "watch", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
