"""Modules that leave their arguments alone, and modules that overwrite them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from support.recipes import (
    IDENTITY,
    MASK,
    PICTURES,
    RELU,
    ROWS,
    SEQUENCES,
    discovered,
    discovered_function,
)
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


class Cloned(nn.Module):
    """Writes into a copy of its argument."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0] = 0
        return y.add_(1)


class OutputIsInput(nn.Module):
    """Returns its argument itself, which a later write to the output would reach."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Assigned(nn.Module):
    """Normalises each row where it lies."""

    def forward(self, x: Tensor) -> Tensor:
        for i in range(x.shape[0]):
            x[i] = x[i] - x[i].mean()
        return x


class ViewWritten(nn.Module):
    """Writes into a view of its argument."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        flat.mul_(0.5)
        return flat


class SecondArgument(nn.Module):
    """Overwrites its second argument alone."""

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        scale += 1
        return x * scale


class InList(nn.Module):
    """Overwrites a tensor in a list."""

    def forward(self, features: list[Tensor]) -> Tensor:
        features[1].relu_()
        return features[0] + features[1]


class InTraining(nn.Module):
    """Overwrites its argument in train mode alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2) if self.training else x * 2


class Residual(nn.Module):
    """An in-place activation as its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(self.act(x))


class OnRequest(nn.Module):
    """Overwrites its argument where it is asked to."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        return x.relu_() if self.inplace else x.relu()


class Activation(nn.Module):
    """An activation of torch that works in place, under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x)


class Fill_(nn.Module):  # noqa: N801 - the underscore is what torch marks such operations with
    """Overwrites its argument, as its name says."""

    def forward(self, x: Tensor) -> Tensor:
        return x.fill_(x.sum())


class KeepsTheFirst(nn.Module):
    """Keeps the first position, whatever the mask of the caller says."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mask[:, 0] = True
        return x * mask[..., None]


class KeepsTheFirstOfACopy(KeepsTheFirst):
    """Keeps the first position in a mask of its own."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x, mask.clone())


class FullMaskAlone(nn.Module):
    """Refuses a mask that excludes something."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        assert mask.all()
        return x


class AddsToLayer(nn.Module):
    """Adds to what a layer made, in place."""

    def __init__(self, layer: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.layer = layer()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        y += 1
        return y


def fill_first(x: Tensor) -> Tensor:
    """Writes a constant, as the name says."""
    x[0] = 1.0
    return x


def centred(x: Tensor) -> Tensor:
    """Overwrites, which the name does not say."""
    x -= x.mean(-1, keepdim=True)
    return x


def cases() -> Iterator[Case]:
    yield sound(discovered(Cloned))
    yield sound(discovered(OutputIsInput))
    yield sound(discovered(OnRequest, inplace=False))
    yield broken(discovered(Assigned), "overwritten")
    yield broken(discovered(ViewWritten, SEQUENCES), "overwritten")
    yield broken(discovered(SecondArgument, ROWS, ROWS), "overwritten")
    yield broken(discovered(InList, [ROWS, ROWS]), "overwritten")
    yield broken(discovered(InTraining), "overwritten")
    yield broken(discovered(Residual, PICTURES), "overwritten")
    yield by_design(discovered(OnRequest, inplace=True), "overwritten")
    yield by_design(discovered(Fill_), "overwritten")
    yield by_design(discovered(Activation), "overwritten")
    yield by_design(discovered_function(fill_first, ROWS), "overwritten")
    yield broken(discovered_function(centred, ROWS), "overwritten")
    yield broken(discovered(KeepsTheFirst, SEQUENCES, MASK), "overwritten")
    yield sound(discovered(KeepsTheFirstOfACopy, SEQUENCES, MASK))
    yield sound(discovered(FullMaskAlone, SEQUENCES, MASK))
    yield by_design(discovered(AddsToLayer, layer=IDENTITY), "overwritten")
    yield sound(discovered(AddsToLayer, layer=RELU))
