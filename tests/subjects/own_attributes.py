"""Modules that read what exists, and modules that misspell it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from support.recipes import discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound

with contextlib.suppress(ImportError):
    from fused_operations import fused_relu  # type: ignore[import-not-found]


class Spelt(nn.Module):
    """Sets what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.padding = 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.padding


class Misspelt(Spelt):
    """Reads another attribute than its base sets."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.paddding


class InTrainingAlone(Spelt):
    """Misspelt where only training reads it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.rate if self.training else x * 2


class NameMissing(nn.Module):
    """Reads a name of no module."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x)  # type: ignore[name-defined]  # noqa: F821 - that is the defect


class Template(nn.Module):
    """Reads what its subclasses set."""

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Filled(Template):
    """Sets what its base reads."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 8)


class ByProperty(nn.Module):
    """Hands on what another object lacks, by a property that torch names in the error."""

    @property
    def schedule(self) -> float:
        inner: object = nn.Identity()
        return inner.schedule  # type: ignore[attr-defined,no-any-return]  # that is the defect

    def forward(self, x: Tensor) -> Tensor:
        return x * self.schedule


class OptionMisspelt(Spelt):
    """Misspelt where an option is turned on."""

    def __init__(self, is_scaled: bool = False) -> None:
        super().__init__()
        self.is_scaled, self.scale = is_scaled, 2.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scales if self.is_scaled else super().forward(x)


class OptionOfConstructor(Spelt):
    """Reads what its constructor sets later, where an option is turned off."""

    def __init__(self, is_wide: bool = True) -> None:
        super().__init__()
        self.width = 8 if is_wide else self.narrow
        self.narrow = 4


class OptionRefused(Spelt):
    """Refuses an option that needs another one, and reads what exists."""

    def __init__(self, is_scaled: bool = False, scale: float | None = None) -> None:
        super().__init__()
        if is_scaled and scale is None:
            raise ValueError("is_scaled needs a scale")
        self.scale = scale or 1.0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Widened(nn.Module):
    """Has a shortcut only where it has another number of outputs than of inputs."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        if in_features != out_features:
            self.shortcut = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.shortcut(x)


class Optional(nn.Module):
    """Calls what its file imports where the package is installed."""

    def forward(self, x: Tensor) -> Tensor:
        return fused_relu(x)


class Prepared(nn.Module):
    """Reads what its owner has it prepare first."""

    def prepare(self) -> None:
        self.table = 2.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.table


class PreparedAtBirth(nn.Module):
    """Prepares at birth, and not where an option is turned."""

    def __init__(self, is_prepared: bool = True) -> None:
        super().__init__()
        if is_prepared:
            self.prepare()

    def prepare(self) -> None:
        self.factor = 2.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class SetFromOutside(nn.Module):
    """Reads what the code that makes it sets."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.given_from_outside


def made_with(value: float) -> SetFromOutside:
    module = SetFromOutside()
    module.given_from_outside = value  # type: ignore[assignment]  # as a plain number
    return module


class RelativePositions(nn.Module):
    """Has an option that wants a size beside it."""

    def __init__(self, *, relative: bool = False, size: int | None = None) -> None:
        super().__init__()
        self.relative = relative
        if relative and size is not None:
            self.shift = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift if self.relative else x


def cases() -> Iterator[Case]:
    yield sound(discovered(Spelt))
    yield sound(discovered(Filled))
    yield sound(discovered(ByProperty))
    yield broken(discovered(Misspelt), "attribute")
    yield broken(discovered(InTrainingAlone), "attribute")
    yield broken(discovered(NameMissing), "name")
    yield by_design(discovered(Template), "attribute")
    yield sound(discovered(OptionRefused))
    yield broken(discovered(OptionMisspelt), "option")
    yield broken(discovered(OptionOfConstructor), "option")
    yield broken(discovered(Widened, in_features=8, out_features=4), "option")
    yield sound(discovered(Optional))
    yield by_design(discovered(Prepared), "attribute")
    yield by_design(discovered(SetFromOutside), "attribute")
    yield broken(discovered(PreparedAtBirth), "option")
    yield by_design(discovered(RelativePositions), "option")
    yield sound(discovered(RelativePositions, size=8))
