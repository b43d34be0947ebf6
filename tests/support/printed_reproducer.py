"""A reproducer as the README printed it before modules moved, with the two files that it needs."""

from __future__ import annotations

VALVE = """\
import torch
import torch.nn.functional as F


class CausalAttentionSeed(torch.nn.Module):
    def forward(self, q, k, v):
        if hasattr(self, "rotary"):
            q, k = self.rotary(q, k)
        return F.scaled_dot_product_attention(q, k, v)
"""

CONTRACTS = """\
from esper_audit.inputs import sequences
from esper_audit.subject import Module, promise
from valve import CausalAttentionSeed


def subjects():
    yield Module(
        name="attention",
        build=lambda dim: CausalAttentionSeed(),
        inputs=sequences,
        call=lambda seed, x: seed(x, x, x),
        promises=[promise("causality"), promise("shape-preserving")],
    )
"""

REPRODUCER = """\
import torch
from esper_audit.dependency import Sight, altered_difference, later_gradients, prefix_difference
from esper_audit.redraw import redraw
from esper_audit.subject import Draw
from esper_audit.subject_file import subject_of

subject = subject_of('contracts.py:subjects', 'attention')
module = subject.at('birth', seed=2).to(torch.float64)
redraw(module, 2)
sight = Sight(subject, module.train(False), 1)
x, other = (sight.sequence(Draw(16, length=33, seed=seed, dtype=torch.float64)) for seed in (2, 100))
with torch.set_grad_enabled(False):
    whole = sight(x)
    altered = altered_difference(sight, x, other * 30, 20, whole)
    print('altered', altered, 'prefix', prefix_difference(sight, x, 20, whole))
print('gradient', *later_gradients(sight, x, [20]))
"""
