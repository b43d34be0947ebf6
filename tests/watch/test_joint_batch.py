"""The gradient of an accumulated step is compared with that of its joint batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.watched_scripts import watch_script
from torch import nn
from torch.nn import functional

from esper_audit.watch.joint_batch import MicroBatches

pytestmark = pytest.mark.torch

x, y = torch.randn(12, 5), torch.randint(0, 3, (12,))


def kept(model: nn.Module, parts: int) -> MicroBatches:
    batches = MicroBatches()
    for inputs, targets in zip(x.chunk(parts), y.chunk(parts), strict=True):
        batches.begin_call(model, (inputs,))
        output = model(inputs)
        batches.end_call(output)
        batches.add_loss("cross_entropy", {"input": output, "target": targets, "reduction": "mean"})
        functional.cross_entropy(output, targets).backward()
    return batches


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_sum_of_means_is_as_many_times_too_large(parts: int) -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    batches = kept(model, parts)
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    ratio = batches.gradient_ratio(parts)
    assert ratio == pytest.approx(parts, rel=1e-4)
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_batches_that_were_not_kept_are_not_asked() -> None:
    model = nn.Linear(5, 3)
    batches = kept(model, 2)
    assert batches.gradient_ratio(3) is None


def test_a_module_that_refuses_the_joint_batch_is_not_asked(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Narrow(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            assert len(inputs) == 6
            return super().forward(inputs)

    model = Narrow(5, 3)
    assert kept(model, 2).gradient_ratio(2) is None
    assert capfd.readouterr() == ("", "")


def test_the_ratio_is_in_the_finding(tmp_path: Path) -> None:
    code = """
    model[2] = nn.Identity()
    for step in range(3):
        optimizer.zero_grad()
        for part in range(4):
            F.cross_entropy(model(x[part::4]), y[part::4]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()
    """
    (seen,) = watch_script(tmp_path, code).seen
    assert seen.evidence == {"passes": 4, "gradient_ratio": 4.0}
