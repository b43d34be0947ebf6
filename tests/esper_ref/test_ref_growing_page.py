"""The code of docs/growing-your-own-network.md runs, from a network to an exported one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support.residual_network import ResNet18

PAGE = Path(__file__).parents[2] / "docs" / "growing-your-own-network.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    package, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    models.resnet18 = lambda: ResNet18(width=4)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"{PAGE}", "exec"), names)
    assert (tmp_path / "grown.pt2").exists()
