"""A project in files: a library with an attention that leaks, and the subjects that it declares."""

from __future__ import annotations

from pathlib import Path

from support.audit_runs import write

LIBRARY = '''
"""Blocks."""

import torch
from torch import nn
from torch.nn import functional as F


class Leaking(nn.Module):
    """Self-attention in which every token sees every token."""

    def __init__(self, dim):
        super().__init__()
        self.project = nn.Linear(dim, 3 * dim)

    def forward(self, x):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v)


class Sound(Leaking):
    def forward(self, x):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
'''
SUBJECTS = """
import os, time
from torch.nn import functional as F
from library import Leaking, Sound
from esper_audit.subject import Module, promise, sequences

def module(name, build, *probes):
    promises = [promise(probe) for probe in probes or ("causality",)]
    return Module(name=name, build=build, inputs=sequences, dims=(8,), promises=promises)

def subjects():
    yield module("sound", Sound, "causality", "eval-determinism")
    yield module("leaking", Leaking)

def dies(dim):
    os.abort()

def hangs(dim):
    with open("hung.txt", "a") as file:
        file.write("once ")
    while True:
        time.sleep(1)

def leaves(dim):
    os._exit(0)

def patches(dim):
    plain = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda *arguments, is_causal: plain(*arguments)
    return Sound(dim)

def hostile():
    yield module("before", Sound, "eval-determinism")
    yield module("dies", dies)
    yield module("hangs", hangs)
    yield module("leaves", leaves)
    yield module("patches", patches, "eval-determinism")
    yield module("after", Sound)  # in one process with "patches": seven subjects make four batches
    yield module("last", Sound, "eval-determinism")

def nothing_to_run():
    yield Module(name="stateless", build=Sound, inputs=sequences, states={},
                 promises=[promise("causality")])
"""
CONFIGURATION = '[tool.esper-audit]\nsubjects = ["contracts/subjects.py:subjects"]\n'
EXPECT = """
[[tool.esper-audit.expect]]
probe = "causality"
subject = "leaking"
code = ["altered", "prefix", "gradient"]
reason = "bidirectional on purpose"
"""


def project(root: Path, configuration: str = CONFIGURATION, subjects: str = SUBJECTS) -> Path:
    """Write the project below `root`."""
    return write(
        root,
        {
            "pyproject.toml": configuration,
            "library.py": LIBRARY,
            "contracts/subjects.py": subjects,
        },
    )
