"""Modules that dynamo takes in one graph, and modules that it does not, or not always."""

from __future__ import annotations

import gc
import logging
import time
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Linear(nn.Module):
    """Tokens through a layer; subclasses say what happens to them on the way, in `also`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.also(self.linear(x))

    def also(self, x: Tensor) -> Tensor:
        return x


class Attention(Linear):
    def also(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, is_causal=True)


class DropsOut(Linear):
    def also(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.2, self.training)


class Normalised(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.norm = nn.BatchNorm1d(8)

    def also(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Checkpointed(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.linear, x, use_reentrant=False)


class ChoosesByWhere(Linear):
    def also(self, x: Tensor) -> Tensor:
        return torch.where(x.mean() > 0, x, -x)


class BranchesOnShape(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * 2.0 if x.shape[1] > 4 else x


class BranchesOnMode(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x if self.training else x * 2.0


class Loops(Linear):
    def also(self, x: Tensor) -> Tensor:
        for power in range(3):
            x = x + x**power
        return x


class CountsInABuffer(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("count", torch.zeros(()))

    def also(self, x: Tensor) -> Tensor:
        self.count += 1
        return x * self.count


class ForgetsGradients(Linear):
    def also(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            scale = x.abs().amax()
        return x / scale


class Prints(Linear):
    def also(self, x: Tensor) -> Tensor:
        print("forward")
        return x


class PrintsFirst(Linear):
    """Before the first operation, where a count of graphs does not see it."""

    def forward(self, x: Tensor) -> Tensor:
        print("forward")
        return self.linear(x)


class PrintsInTrain(Linear):
    def also(self, x: Tensor) -> Tensor:
        if self.training:
            print("training")
        return x


class PrintsInEval(Linear):
    def also(self, x: Tensor) -> Tensor:
        if not self.training:
            print("evaluating")
        return x


class PrintsWithoutGradients(Linear):
    def also(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            print("inference")
        return x


class PrintsAtALargerBatch(Linear):
    def also(self, x: Tensor) -> Tensor:
        if x.shape[0] == 3:
            print("larger")
        return x


class PrintsAtTheSecondCall(Linear):
    def also(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 2:
            print("again")
        return x


class Logs(Linear):
    def also(self, x: Tensor) -> Tensor:
        logging.getLogger("subject").info("forward")
        return x


class Warns(Linear):
    def also(self, x: Tensor) -> Tensor:
        warnings.warn("forward", stacklevel=1)
        return x


class Items(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * x.mean().item()


class Lists(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * sum(x.mean(dim=(0, 1)).tolist())


class BranchesOnAValue(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x if x.mean() > 0 else -x


class AsksForEquality(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x if torch.equal(x, x) else -x


class SelectsByMask(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x - x[x > 0].mean()


class SelectsNonzero(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * torch.nonzero(x > 0).shape[0]


@torch.compiler.disable
def _untraced(x: Tensor) -> Tensor:
    return x * 2.0


class CallsUntraced(Linear):
    def also(self, x: Tensor) -> Tensor:
        return _untraced(x)


class ReadsTheClock(Linear):
    def also(self, x: Tensor) -> Tensor:
        time.sleep(0)
        return x


class CollectsGarbage(Linear):
    def also(self, x: Tensor) -> Tensor:
        gc.collect()
        return x


class CountsInAnAttribute(Linear):
    """Compiles anew at every call, eight times, and then never again."""

    def also(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class AlphaInABuffer(Linear):
    """A schedule that turns between calls; filled in place, it is data to the graph."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("alpha", torch.zeros(()))

    def also(self, x: Tensor) -> Tensor:
        return x * self.alpha

    def turn(self) -> None:
        self.alpha.add_(0.1)


class AlphaInAnAttribute(Linear):
    """A Python float is baked into the graph: each step of the schedule compiles another."""

    alpha = 0.0

    def also(self, x: Tensor) -> Tensor:
        return x * self.alpha

    def turn(self) -> None:
        self.alpha += 0.1


class AsksTheCompiler(Linear):
    """Does something else when it is compiled."""

    def also(self, x: Tensor) -> Tensor:
        return x * 2.0 if torch.compiler.is_compiling() else x


class NothingToCompile(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x


SOUND = (
    Linear,
    Attention,
    DropsOut,
    Normalised,
    Checkpointed,
    ChoosesByWhere,
    BranchesOnShape,
    BranchesOnMode,
    Loops,
    CountsInABuffer,
    ForgetsGradients,
    NothingToCompile,
)
BREAKING = (
    Prints,
    PrintsFirst,
    PrintsInTrain,
    PrintsInEval,
    PrintsWithoutGradients,
    PrintsAtALargerBatch,
    PrintsAtTheSecondCall,
    Logs,
    Warns,
    Items,
    Lists,
    BranchesOnAValue,
    AsksForEquality,
    SelectsByMask,
    SelectsNonzero,
    CallsUntraced,
    ReadsTheClock,
    CollectsGarbage,
)
