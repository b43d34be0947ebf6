"""The corpus of the probe `host-untouched`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Grown, promise, sequences


class Model(nn.Module):
    """A host in two halves, with a seed trained straight through between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.host = nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(8), nn.Linear(dim, dim))
        self.seed = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        features = self.host[1](self.host[0](x))
        return self.host[2](self.blend(features))

    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features.detach())
        return features + (seed - seed.detach())

    def seed_parameters(self) -> list[nn.Parameter]:
        return list(self.seed.parameters())


class Dormant(Model):
    def blend(self, features: Tensor) -> Tensor:
        return features


class AddsALittle(Model):
    def blend(self, features: Tensor) -> Tensor:
        return features + 1e-6 * self.seed(features.detach())


class Attached(Model):
    def blend(self, features: Tensor) -> Tensor:
        seed = self.seed(features)
        return features + (seed - seed.detach())


class BorrowsTheNorm(Model):
    """The output of the seed runs through the host's norm and changes its averages."""

    def blend(self, features: Tensor) -> Tensor:
        seed = self.host[1](self.seed(features.detach())).detach()
        return features + (seed - seed)


class TakesTheHostsParameters(Model):
    """The head is in both optimisers and is updated twice in every step."""

    def seed_parameters(self) -> list[nn.Parameter]:
        return [*super().seed_parameters(), *self.host[2].parameters()]


def cases() -> Iterator[Case]:
    yield sound(_model(Model))
    yield sound(_model(Dormant))
    yield broken(_model(AddsALittle), "output gradients buffers parameters")
    yield broken(_model(Attached), "output gradients buffers parameters")
    yield broken(_model(BorrowsTheNorm), "buffers")
    yield broken(_model(TakesTheHostsParameters), "shared output gradients buffers parameters")


def _model(build: type[Model]) -> Grown:
    return Grown(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        host=lambda model: model.host,
        alone=lambda host, x: host(x),
        seed_parameters=lambda model: model.seed_parameters(),
        promises=[promise("host-untouched")],
    )
