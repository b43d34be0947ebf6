"""Training: the optimisers of a host and its seeds, an epoch of steps, and the score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from esper_ref.growth import ranks
from esper_ref.growth.plan import GrowthPlan, random_seed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch.optim import Optimizer

    from esper_ref.growth.data import Split

WEIGHT_DECAY = 0.01
FINAL_FRACTION = 0.1  # of the learning rate, reached at the last epoch along half a cosine


class Training:
    """Takes the steps of one model's life. Owns an optimiser for each part that learns."""

    def __init__(self, plan: GrowthPlan, model: nn.Module, random_seed: int) -> None:
        self.plan, self.model, self.random_seed = plan, model, random_seed
        self.optimizers: dict[str, Optimizer] = {}

    def take_up(self, name: str, parameters: Iterable[nn.Parameter]) -> None:
        """Give some parameters an optimiser of their own: the host's, or a new seed's."""
        own = list(parameters)
        if own:  # a noop seed has nothing to learn
            self.optimizers[name] = AdamW(own, self.plan.learning_rate, weight_decay=WEIGHT_DECAY)

    def give_up(self, name: str) -> None:
        """Forget the optimiser of a seed that is gone."""
        self.optimizers.pop(name, None)

    def epoch(self, epoch: int, training: Split, after_backward: Callable[[], None]) -> float:
        """Train for one epoch and return the mean loss in nats."""
        rate = learning_rate_at(epoch, self.plan)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        torch.manual_seed(random_seed_of(self.random_seed, epoch, ranks.rank()))
        losses = [self._step(batch, after_backward) for batch in self._batches(epoch, training)]
        return (ranks.total(torch.stack(losses).mean()) / ranks.world_size()).item()

    def _batches(self, epoch: int, training: Split) -> Iterator[Split]:
        """Yield this process's share of each batch of an epoch."""
        generator = torch.Generator().manual_seed(random_seed_of(self.random_seed, epoch))
        order = torch.randperm(len(training), generator=generator)
        size = self.plan.batch
        for start in range(0, self.plan.steps * size, size):
            batch = order[torch.arange(start, start + size) % len(order)]
            yield training[ranks.own_share(batch).to(training.inputs.device)]

    def _step(self, batch: Split, after_backward: Callable[[], None]) -> torch.Tensor:
        self.model.zero_grad()
        loss = loss_on(self.model, batch)
        torch.autograd.backward(loss)
        ranks.average_gradients(self.model.parameters())
        after_backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        return loss.detach()


def learning_rate_at(epoch: int, plan: GrowthPlan) -> float:
    """Return the learning rate of an epoch, 1 to `plan.epochs`.

    It is the same for hosts and seeds.
    """
    height = (1.0 + math.cos(math.pi * (epoch - 1) / plan.epochs)) / 2.0
    return plan.learning_rate * (FINAL_FRACTION + (1.0 - FINAL_FRACTION) * height)


def loss_on(model: nn.Module, batch: Split) -> torch.Tensor:
    """Return the mean cross-entropy in nats: a picture's class, or each next character."""
    logits = model(batch.inputs).flatten(0, -2)  # (samples, classes)
    return F.cross_entropy(logits, batch.targets.flatten())


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the share of right answers in percent.

    Each process scores its part of the split.
    """
    share = split[slice(ranks.rank(), None, ranks.world_size())]
    answers = model(share.inputs).argmax(-1)
    right = ranks.total((answers == share.targets).sum())
    return 100.0 * right.item() / split.targets.numel()
