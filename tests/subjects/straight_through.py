"""The corpus of the probe `straight-through`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from esper_audit.subject import Blend, promise, sequences


class Whole(nn.Module):
    """h + (s - s.detach()), the seed fed a detached input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.host, self.seed = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.blend(self.host(x))

    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features.detach())
        return features + (seed - seed.detach())


class WithoutParameters(Whole):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.seed = nn.Tanh()


class SumInAnotherOrder(Whole):
    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features.detach())
        return features + seed - seed.detach()


class InPlace(Whole):
    """The host's features are overwritten, and the output equals the overwritten ones."""

    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features.detach().clone())
        return features.add_(seed)


class Attached(Whole):
    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features)
        return features + (seed - seed.detach())


class DetachedHost(Whole):
    """The seed's gradient replaces the host's instead of being added."""

    def blend(self, features: Tensor) -> Tensor:
        return super().blend(features.detach())


class Unrecorded(Whole):
    def blend(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            seed = self.seed(features)
        return features + (seed - seed.detach())


class ZeroAlpha(Whole):
    def blend(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.seed(features.detach()), 0.0)


class HalfTheGradient(Whole):
    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features.detach())
        return features + 0.5 * (seed - seed.detach())


class Reentrant(Whole):
    def blend(self, features: Tensor) -> Tensor:
        seed = checkpoint(self.seed, features.detach(), use_reentrant=True)
        return features + (seed - seed.detach())


class Promoting(Whole):
    def blend(self, features: Tensor) -> Tensor:
        return super().blend(features) + torch.zeros(1, dtype=torch.float64)


class Hooked(Whole):
    def blend(self, features: Tensor) -> Tensor:
        if features.requires_grad:
            features.register_hook(lambda gradient: 2.0 * gradient)
        return super().blend(features)


def cases() -> Iterator[Case]:
    yield sound(_whole(Whole))
    yield sound(_whole(WithoutParameters))
    yield broken(_whole(SumInAnotherOrder), "output")
    yield broken(_whole(InPlace), "overwritten output")
    yield broken(_whole(Attached), "host-gradient")
    yield broken(_whole(DetachedHost), "host-gradient")
    yield broken(_whole(Unrecorded), "seed-gradient share")
    yield broken(_whole(ZeroAlpha), "seed-gradient share")
    yield broken(_whole(Reentrant), "seed-gradient share")
    yield broken(_whole(HalfTheGradient), "share")
    yield broken(_whole(Promoting), "dtype")
    yield broken(_whole(Hooked), "host-gradient")


def _whole(build: type[Whole]) -> Blend:
    return Blend(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        features=lambda model, x: model.host(x),
        blend=lambda model, features: model.blend(features),
        direct=lambda _whole, features: features,
        host=lambda model: [model.host],
        seed=lambda model: [model.seed],
        seed_output=lambda model, features: model.seed(features),
        promises=[promise("straight-through")],
    )
