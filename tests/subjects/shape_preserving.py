"""The corpus of the probe `shape-preserving`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Draw, Module, PlainValue, pictures, promise, sequences


class Convolution(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Strict(Convolution):
    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise ValueError(f"got {x.dim()} axes, expected 4")
        return super().forward(x)


class Linear(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Unpadded(Convolution):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.conv = nn.Conv2d(dim, dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class SqueezesBatchOfOne(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(0)


class PromotesToFloat32(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.tensor([1.5])


class MaskOfAnotherDtype(Linear):
    """A float32 buffer of the forward meets half precision in a matrix product."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) @ torch.eye(x.shape[-1])


class DividesWidth(Linear):
    """Two heads and a width of one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.unflatten(-1, (2, -1)).flatten(-2))


class MakesContiguous(Convolution):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.contiguous()).contiguous()


class ReadsStrides(Linear):
    """`reshape` of a view treats rows of memory as rows of features."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.as_strided(x, x.shape, x.new_empty(x.shape).stride()))


class Overwrites(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mul_(0.5))


class ReturnsItsInput(nn.Module):
    def __init__(self, _dim: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


class Broadcasts(nn.Module):
    """A scale for each channel broadcasts to features of width one and of any rank."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class NormalisesInSingle(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(self.linear(x).float(), x.shape[-1:]).to(x.dtype)


def _with_channels_last(draw: Draw) -> Tensor:
    return pictures(draw).permute(0, 2, 3, 1).contiguous()


class CastsBack(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to(x.dtype)


class Scales(nn.Module):
    """A float32 parameter promotes features that autocast lowered."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class MixesDtypes(Linear):
    """`lerp` needs one dtype, and gets two under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, super().forward(x), 0.5)


def cases() -> Iterator[Case]:
    yield sound(_module(CastsBack, sequences, autocast=True))
    yield sound(_module(Convolution, pictures, "residual-in-float32", autocast=True))
    yield broken(_module(Linear, sequences, "lowered-by-autocast", autocast=True), "autocast")
    yield broken(_module(Scales, sequences, "raised-by-its-parameter", autocast=True), "autocast")
    yield broken(_module(MixesDtypes, sequences, autocast=True), "raises")
    yield sound(_module(Convolution, pictures))
    yield sound(_module(Linear, sequences))
    yield sound(_module(Strict, pictures, strict=True))
    yield sound(_module(ReturnsItsInput, sequences, "identity-promised", aliases=True))
    yield sound(_module(NormalisesInSingle, sequences))
    yield sound(_module(Linear, _with_channels_last, "four-axes-no-picture", pictures=False))
    yield broken(_module(Unpadded, pictures), "shape")
    yield broken(_module(SqueezesBatchOfOne, sequences), "shape")
    yield broken(_module(PromotesToFloat32, sequences), "dtype")
    yield broken(_module(MaskOfAnotherDtype, sequences), "raises")
    yield broken(_module(DividesWidth, sequences), "raises")
    yield broken(_module(MakesContiguous, pictures), "memory-format")
    yield broken(_module(ReadsStrides, sequences), "layout")
    yield broken(_module(Overwrites, sequences), "overwritten")
    yield broken(_module(ReturnsItsInput, sequences), "aliased")
    yield broken(_module(Broadcasts, pictures, strict=True), "wrong-input")


def _module(
    build: Callable[[int], nn.Module],
    inputs: Callable[..., Tensor],
    name: str = "",
    **parameters: PlainValue,
) -> Module:
    return Module(
        name=name or build.__name__,
        build=build,
        inputs=inputs,
        dims=(4, 1),
        promises=[promise("shape-preserving", **parameters)],
    )
