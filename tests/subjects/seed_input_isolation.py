"""The corpus of the probe `seed-input-isolation`: sound operators, and ways for a seed to affect its host."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from esper_audit.subject import Blend, pictures, promise

ALPHA = 0.3


def multiply(host: Tensor, seed: Tensor, *, seed_input: Tensor) -> Tensor:
    return host * (1.0 + ALPHA * torch.tanh(seed - seed_input))


def multiply_by_default(host: Tensor, seed: Tensor, seed_input: Tensor | None = None) -> Tensor:
    return multiply(host, seed, seed_input=host if seed_input is None else seed_input)


def multiply_by_keywords(host: Tensor, seed: Tensor, **others: Tensor) -> Tensor:
    return multiply(host, seed, seed_input=others.get("seed_input", host))


class Whole(nn.Module):
    """A host of a convolution and a norm, a seed of a convolution, blended by lerp."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.host = nn.Sequential(nn.Conv2d(dim, dim, 3, padding=1), nn.BatchNorm2d(dim))
        self.seed: nn.Module = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.blend(self.host(x))

    def fed(self, features: Tensor) -> Tensor:
        return features.detach()

    def blend(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.seed(self.fed(features)), ALPHA)

    def direct(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.seed(features.detach()).detach(), ALPHA)


class StraightThrough(Whole):
    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(self.fed(features))
        return features + (seed - seed.detach())

    def direct(self, features: Tensor) -> Tensor:
        return features


class Multiplied(Whole):
    def blend(self, features: Tensor) -> Tensor:
        fed = self.fed(features)
        return multiply(features, self.seed(fed), seed_input=fed)

    def direct(self, features: Tensor) -> Tensor:
        still = features.detach()
        return features * (1.0 + ALPHA * torch.tanh(self.seed(still) - still)).detach()


class Gated(Whole):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.gate = nn.Linear(dim, 1)

    def share(self, fed: Tensor) -> Tensor:
        return ALPHA * torch.sigmoid(self.gate(fed.mean(dim=(2, 3))))[:, :, None, None]

    def blend(self, features: Tensor) -> Tensor:
        fed = self.fed(features)
        return torch.lerp(features, self.seed(fed), self.share(fed))

    def direct(self, features: Tensor) -> Tensor:
        fed = features.detach()
        return torch.lerp(features, self.seed(fed).detach(), self.share(fed).detach())


class Attached(Whole):
    def fed(self, features: Tensor) -> Tensor:
        return features


class AttachedBehindAZero(Attached):
    """At birth a zero convolution has no gradient to its input, later it has one."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.seed = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.Conv2d(dim, dim, 1))
        nn.init.zeros_(self.seed[1].weight)


class AttachedUnlessContiguous(Whole):
    def fed(self, features: Tensor) -> Tensor:
        return features.detach() if features.is_contiguous() else features


class AttachedInEval(Whole):
    def fed(self, features: Tensor) -> Tensor:
        return features.detach() if self.training else features


class ResidualOfTheHost(Multiplied):
    """The input of the seed is detached, but the subtracted term is not."""

    def blend(self, features: Tensor) -> Tensor:
        return multiply_by_default(features, self.seed(self.fed(features)))


class AttachedGate(Gated):
    def blend(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.seed(self.fed(features)), self.share(features))


class AttachedStraightThrough(StraightThrough):
    def fed(self, features: Tensor) -> Tensor:
        return features


class BorrowedLayer(Whole):
    """The seed ends in an unregistered layer of the host."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.borrowed = [self.host[0]]

    def blend(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.borrowed[0](self.seed(self.fed(features))), ALPHA)

    def direct(self, features: Tensor) -> Tensor:
        still = self.borrowed[0](self.seed(features.detach())).detach()
        return torch.lerp(features, still, ALPHA)


class BorrowedNorm(Whole):
    """The features of the seed change the running statistics of the host."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.borrowed = [self.host[1]]

    def blend(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            self.borrowed[0](3.0 * features)
        return super().blend(features)


class InPlace(Whole):
    def blend(self, features: Tensor) -> Tensor:
        return super().blend(torch.relu_(features))


class InPlaceUnseen(Whole):
    """`.data` is written without autograd, so that the version counter does not change."""

    def blend(self, features: Tensor) -> Tensor:
        features.data.mul_(1.5)
        return super().blend(features)


class InPlaceInTheSeed(Whole):
    """A detached tensor shares memory, so that a seed that works in place writes into the host."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.seed = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(dim, dim, 3, padding=1))


class Hooked(Whole):
    def blend(self, features: Tensor) -> Tensor:
        if features.requires_grad:
            features.register_hook(lambda gradient: 0.5 * gradient)
        return super().blend(features)


class Remembering(Whole):
    """Mixes in its output on the last batch, with that batch's graph."""

    last: Tensor | None = None

    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(self.fed(features))
        mixed = seed if self.last is None else 0.5 * (seed + self.last)
        self.last = seed
        return torch.lerp(features, mixed, ALPHA)


class FrozenSeed(Whole):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.seed.requires_grad_(False)


class ReentrantCheckpoint(Whole):
    """Reentrant checkpointing gives no gradient for a detached input."""

    def blend(self, features: Tensor) -> Tensor:
        seed = checkpoint(self.seed, self.fed(features), use_reentrant=True)
        return torch.lerp(features, seed, ALPHA)


def cases() -> Iterator[Case]:
    for build in (Whole, StraightThrough, Multiplied, Gated):
        yield sound(_whole(build))
    for build in (
        Attached,
        AttachedBehindAZero,
        AttachedUnlessContiguous,
        AttachedInEval,
        ResidualOfTheHost,
    ):
        yield broken(_whole(build), "host-gradient")
    for build in (AttachedGate, AttachedStraightThrough, BorrowedLayer, Hooked):
        yield broken(_whole(build), "host-gradient")
    yield broken(_whole(BorrowedNorm), "host-state")
    yield broken(_whole(InPlace), "overwritten host-gradient output")
    yield broken(_whole(InPlaceInTheSeed), "overwritten")
    yield broken(_whole(InPlaceUnseen), "overwritten output")
    yield broken(_whole(Remembering), "second-step")
    yield broken(_whole(FrozenSeed), "seed-gradient")
    yield broken(_whole(ReentrantCheckpoint), "seed-gradient")
    yield sound(_operator("required", multiply))
    yield broken(_operator("defaulting", multiply_by_default), "default omitted")
    yield broken(_operator("any-keywords", multiply_by_keywords), "default omitted")


def _whole(build: type[Whole], name: str = "", operator: object = None) -> Blend:
    return Blend(
        name=name or build.__name__,
        build=build,
        inputs=pictures,
        dims=(4,),
        features=lambda model, x: model.host(x),
        blend=lambda model, features: model.blend(features),
        direct=lambda model, features: model.direct(features),
        host=lambda model: [model.host],
        seed=lambda model: [model.seed],
        operator=operator,  # type: ignore[arg-type]
        omitting=lambda function: function(torch.ones(1), torch.ones(1)),
        promises=[promise("seed-input-isolation")],
    )


def _operator(name: str, operator: object) -> Blend:
    return _whole(Multiplied, name, operator)
