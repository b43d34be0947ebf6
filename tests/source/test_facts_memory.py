"""How much memory the facts of a tree take, in bytes per mention."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from support.audit_runs import write

from esper_audit.project.config import Project, find_project
from esper_audit.source.index.index import Index, open_index

FILES = 60
# 215 where equal parts of the files are one object, 570 where each file has its own.
MOST_BYTES = 300
MODULE = """
import torch
from torch import nn

from pkg.m{1} import Part{1}

SCALES = {{"first": 0.5, "second_{0}": 0.25}}


class Part{0}(nn.Module):
    def __init__(self, width: int = 300, depth: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in range(depth)])
        self.normalisation = nn.LayerNorm(width, eps=1e-6)
        self.dropout = nn.Dropout(dropout)
        self.next_{1} = Part{1}

    def forward(self, inputs: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden = inputs
        for layer in self.layers:
            hidden = self.dropout(layer(self.normalisation(hidden)))
        if mask is not None:
            hidden = hidden.masked_fill(mask, value=0.0)
        return torch.nn.functional.relu(hidden, inplace=False)

    @staticmethod
    def scaled(inputs: torch.Tensor, scale: float = 1.0, offset: float = 0.0) -> torch.Tensor:
        return torch.add(torch.mul(inputs, scale), offset)
"""


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Return the index of modules that are written alike, each extracted once before."""
    files = {f"pkg/m{n}.py": MODULE.format(n, (n + 1) % FILES) for n in range(FILES)}
    write(tmp_path, {"pyproject.toml": "", **files})
    project = Project(str(tmp_path), find_project([str(tmp_path)]).config)
    open_index(project).prepare()
    return open_index(project)


def test_a_mention_takes_a_bounded_number_of_bytes(index: Index) -> None:
    tracemalloc.start()
    try:
        mentions = sum(len(module.facts.mentions) for module in index.modules())
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mentions > 30 * FILES
    assert taken / mentions < MOST_BYTES


def test_equal_parts_of_several_files_are_one_object(index: Index) -> None:
    first, second = (module.facts for module in index.modules()[:2])
    by_name = [{d.short: d for d in facts.definitions} for facts in (first, second)]
    assert by_name[0]["forward"].parameters is by_name[1]["forward"].parameters
    assert by_name[0]["scaled"].returned is by_name[1]["scaled"].returned
    paths = [{str(m.path): m for m in facts.mentions} for facts in (first, second)]
    assert paths[0]["hidden.masked_fill"].path is paths[1]["hidden.masked_fill"].path
    assert paths[0]["nn.Linear"].arguments is paths[1]["nn.Linear"].arguments
