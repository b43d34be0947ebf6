"""Modules that leave the settings of the process alone, and modules that change them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from support.recipes import discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


class Draws(nn.Module):
    """Draws random numbers, and turns gradients off inside a block."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            noise = torch.rand_like(x)
        return self.net(x) + noise


class Seeds(nn.Module):
    """Seeds the random stream in its constructor."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TurnsGradientsOff(nn.Module):
    """Turns gradients off in a call, for good."""

    def forward(self, x: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        return x * 2


class SilencesWarnings(nn.Module):
    """Silences all warnings of the process."""

    def forward(self, x: Tensor) -> Tensor:
        warnings.simplefilter("ignore", category=DeprecationWarning)
        return x * 2


class SeedsByOption(nn.Module):
    """Seeds the random stream with an option of its constructor."""

    def __init__(self, random_seed: int = 1) -> None:
        super().__init__()
        torch.manual_seed(random_seed)
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def cases() -> Iterator[Case]:
    yield sound(discovered(Draws))
    yield broken(discovered(Seeds), "build")
    yield broken(discovered(TurnsGradientsOff), "call")
    yield broken(discovered(SilencesWarnings), "call")
    yield by_design(discovered(SeedsByOption), "build")
