"""Modules that read what exists, and modules that misspell it."""

from __future__ import annotations

from collections.abc import Iterator

from support.recipes import discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


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


def cases() -> Iterator[Case]:
    yield sound(discovered(Spelt))
    yield sound(discovered(Filled))
    yield sound(discovered(ByProperty))
    yield broken(discovered(Misspelt), "attribute")
    yield broken(discovered(InTrainingAlone), "attribute")
    yield broken(discovered(NameMissing), "name")
    yield by_design(discovered(Template), "attribute")
