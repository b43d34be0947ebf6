"""Modules whose state dict is complete, and modules that lose what their output depends on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from support.recipes import ROWS, SEQUENCES, discovered, recorded
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


class Registered(nn.Module):
    """Random wires in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wires", torch.randperm(8))

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.wires]


class Derived(nn.Module):
    """A table that is computed the same each time, in a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(8.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class RandomWires(nn.Module):
    """Random wires as a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.wires = torch.randperm(8)

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.wires]


class NotSaved(nn.Module):
    """A random projection in a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection", torch.randn(8, 8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.projection


class PlainList(nn.Module):
    """Layers in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[1](self.layers[0](x))


class LazyBuffer(nn.Module):
    """A buffer that the first call makes: a fresh module has none, and refuses it."""

    def forward(self, x: Tensor) -> Tensor:
        if "mean" not in dict(self.named_buffers()):
            self.register_buffer("mean", x.mean(0))
        return x - self.mean


class FirstBatch(nn.Module):
    """A plain attribute that the first call sets."""

    def __init__(self) -> None:
        super().__init__()
        self.shift: Tensor | None = None
        self.scale = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        if self.shift is None:
            self.shift = torch.rand(8)
        return self.scale(x) + self.shift


class ExtraObject(nn.Module):
    """An object of its own class in the state dict, which a safe load refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2

    def get_extra_state(self) -> object:
        return Remembered()

    def set_extra_state(self, state: object) -> None:
        assert isinstance(state, Remembered)


class Remembered:
    """What is no plain type."""


class ForgetfulCopy(nn.Module):
    """Draws its wires again when it is copied."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wires", torch.randperm(8))

    def __deepcopy__(self, memo: dict[int, Any]) -> ForgetfulCopy:
        twin = type(self)()
        twin.scale = copy.deepcopy(2, memo)
        return twin

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.wires]


class Standardised(nn.Module):
    """Keeps the mean that it is given."""

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor:
        return x - self.mean


class ActNorm(nn.Module):
    """Takes scales from its first batch, in the shape that this has without the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 8))
        self.is_set = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_set:
            self.scale.data = self.scale.data / x.std(0, keepdim=True)
            self.is_set = True
        return x * self.scale


class Queue(nn.Module):
    """Compares with random rows that training replaces, and does not save them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.randn(4, 8), persistent=False)

    def fill(self, x: Tensor) -> None:
        self.bank[: len(x)] = x

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.fill(x.detach())
        return x @ self.bank.T


def cases() -> Iterator[Case]:
    yield sound(discovered(Registered))
    yield sound(discovered(Derived))
    yield sound(discovered(Tied))
    yield broken(discovered(RandomWires, SEQUENCES), "output")
    yield broken(discovered(NotSaved), "output")
    yield broken(discovered(PlainList), "output")
    yield broken(discovered(LazyBuffer), "refused")
    yield broken(discovered(FirstBatch), "output")
    yield broken(discovered(ExtraObject), "not-plain")
    yield broken(discovered(ForgetfulCopy), "copy")
    yield sound(discovered(Standardised, mean=ROWS))
    yield by_design(discovered(ActNorm, SEQUENCES), "refused")
    yield broken(recorded(ActNorm, SEQUENCES), "refused")
    yield by_design(discovered(Queue), "output")
