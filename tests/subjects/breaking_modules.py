"""Modules that dynamo does not compile into one graph, or recompiles."""

from __future__ import annotations

import gc
import logging
import time
import warnings

import torch
from subjects.compiled_modules import Doubled, Linear
from torch import Tensor


class Prints(Linear):
    def also(self, x: Tensor) -> Tensor:
        print("forward")
        return x


class PrintsFirst(Linear):
    """Breaks before the first operation, which a count of graphs does not detect."""

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


class PrintsInInference(Linear):
    """Breaks in eval mode without gradients only."""

    def also(self, x: Tensor) -> Tensor:
        if not self.training and not torch.is_grad_enabled():
            print("inference")
        return x


class PrintsInEvalAtALargerBatch(Linear):
    def also(self, x: Tensor) -> Tensor:
        if not self.training and x.shape[0] == 3:
            print("larger")
        return x


class BreaksOnPurpose(Linear):
    def also(self, x: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return x


class LeavesTorch(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * float(x.detach().numpy(force=True).mean())


class DoubledAloud(Doubled):
    @staticmethod
    def backward(_saved: object, gradient: Tensor) -> Tensor:
        print("backward")
        return 2.0 * gradient


class PrintsInItsBackward(Linear):
    def also(self, x: Tensor) -> Tensor:
        return DoubledAloud.apply(x)


class CountsItsModes(Linear):
    """Recompiles after every change between train and eval mode."""

    def train(self, mode: bool = True) -> CountsItsModes:
        super().train(mode)
        self.calls += 1
        return self

    def also(self, x: Tensor) -> Tensor:
        return x * self.calls


class CountsInAnAttribute(Linear):
    """Recompiles at every call, eight times, and then never again."""

    def also(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class AlphaInAnAttribute(Linear):
    """A Python float is a constant of the graph, so that each step of the schedule recompiles."""

    alpha = 0.0

    def also(self, x: Tensor) -> Tensor:
        return x * self.alpha

    def turn(self) -> None:
        self.alpha += 0.1


class AsksTheCompiler(Linear):
    """Computes another function when it is compiled."""

    def also(self, x: Tensor) -> Tensor:
        return x * 2.0 if torch.compiler.is_compiling() else x


BREAKING = (
    Prints,
    PrintsFirst,
    PrintsInTrain,
    PrintsInEval,
    PrintsWithoutGradients,
    PrintsAtALargerBatch,
    PrintsAtTheSecondCall,
    PrintsInInference,
    PrintsInEvalAtALargerBatch,
    PrintsInItsBackward,
    BreaksOnPurpose,
    LeavesTorch,
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
