"""Modules that compute in the dtype of their inputs, and modules that fix another one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import IDS, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Following(nn.Module):
    """A constant that takes the dtype of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + torch.ones(8, dtype=x.dtype))


class CountsToo(nn.Module):
    """An integer output beside a float one."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x.argmax(-1)


class FixedConstant(nn.Module):
    """A product with a constant of its own dtype."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(8, 8)


class FixedOutput(nn.Module):
    """A cast that is never undone."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float() * 2


class ProductWithFloat(nn.Module):
    """A product that only a narrow dtype breaks."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.dtype is torch.float64 else x @ torch.ones(8, 8)


class FixedNorm(nn.Module):
    """A norm that does not convert back: the next layer cannot take its output."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class MaskedByFloats(nn.Module):
    """A mask as floats, which promotes what another part has converted back."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        positive = self.net(x.relu().float().type_as(x))
        return positive + (x > 0).float()


class OwnDtype(nn.Module):
    """Converts its input to a dtype that it was built with, where its layer is."""

    def __init__(self) -> None:
        super().__init__()
        self.placement = {"device": torch.device("cpu"), "dtype": torch.float32}
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.to(**self.placement))


class KeepsFP32(nn.Module):
    """Computes in float32 on purpose."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


class Promoted(nn.Module):
    """A constant that promotes a product."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * torch.ones(8)


class PromotedAlone(nn.Module):
    """A constant that promotes a product, in a module that holds nothing to convert."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.ones(8)


class Metric(nn.Module):
    """The base of metrics."""


class Coverage(Metric):
    """The share of values above zero, weighted."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).float().mean(-1) + (x * self.weight).mean(-1)


class ComplexWeights(nn.Module):
    """A product with complex weights, whose imaginary parts a real dtype would drop."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(torch.complex64) @ self.weight).abs()


class WithLogDeterminant(nn.Module):
    """Returns a second output that is zero in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), torch.zeros(len(x))


class Covariance(nn.Module):
    """Weighs the bins of an STFT."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * torch.ones(8)


class FollowsHalf(nn.Module):
    """Follows reduced precision, and makes a matrix in the default dtype otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones(8, 8, dtype=x.dtype if x.itemsize < 4 else None)
        out: Tensor = self.net(x) @ ones
        return out


class Capped(nn.Module):
    """Writes what is wider than the default dtype into a table of the default dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y if y.itemsize <= 4 else torch.zeros(y.shape).copy_(y)


def cases() -> Iterator[Case]:
    yield sound(discovered(Following))
    yield sound(discovered(CountsToo))
    yield broken(discovered(FixedConstant), "bfloat16")
    yield by_design(discovered(FixedOutput), "bfloat16-output")
    yield broken(discovered(FixedNorm), "bfloat16-output")
    yield broken(discovered(MaskedByFloats), "bfloat16-output")
    yield by_design(discovered(OwnDtype), "bfloat16")
    yield broken(discovered(ProductWithFloat), "bfloat16")
    yield broken(discovered(Promoted), "bfloat16-output")
    yield by_design(discovered(PromotedAlone), "bfloat16-output")
    yield by_design(discovered(Coverage), "bfloat16-output")
    yield by_design(discovered(KeepsFP32), "bfloat16-output")
    yield inconclusive(discovered(ComplexWeights), "")
    yield inconclusive(discovered(nn.Identity, IDS), "")
    yield by_design(discovered(WithLogDeterminant), "bfloat16-output")
    yield by_design(discovered(Covariance), "bfloat16-output")
    yield broken(discovered(FollowsHalf), "double")
    yield broken(discovered(Capped), "double-output")
