"""The corpus of the probe `protocol-conformance`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Conformance, promise


class SlotProtocol(Protocol):
    alpha: Tensor

    @property
    def active(self) -> bool: ...

    def germinate(self, name: str, seed: int | None = None, *, dim: int) -> bool: ...


class Slot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("alpha", torch.zeros(()))

    @property
    def active(self) -> bool:
        raise RuntimeError("a property is not read by looking for it")

    def germinate(
        self, name: str, seed: int | None = None, *, dim: int, verbose: bool = False
    ) -> bool:
        return True


class AnyArguments(Slot):
    def germinate(self, *arguments: Any, **options: Any) -> bool:
        return True


class Plain:
    active = True

    def __init__(self) -> None:
        self.alpha = torch.zeros(())

    def germinate(self, name: str, seed: int | None = None, *, dim: int = 4) -> bool:
        return True


class WithoutAlpha(Slot):
    def __init__(self) -> None:
        super().__init__()
        del self.alpha


class OnlyAnnotated(Plain):
    """Declares a member that it lacks."""

    alpha: Tensor

    def __init__(self) -> None:
        return


class CatchAll:
    """Returns something for every name by `__getattr__`, and has no member."""

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_arguments, **_options: True


class FlagInsteadOfMethod(Slot):
    germinate = True  # type: ignore[assignment]


class OtherName(Slot):
    def germinate(self, blueprint: str, seed: int | None = None, *, dim: int) -> bool:  # type: ignore[override]
        return True


class RequiresMore(Slot):
    def germinate(self, name: str, seed: int | None = None, *, dim: int, host: nn.Module) -> bool:  # type: ignore[override]
        return True


class NoDefault(Slot):
    def germinate(self, name: str, seed: int | None, *, dim: int) -> bool:  # type: ignore[override]
        return True


class KeywordOnly(Slot):
    def germinate(self, *, name: str, seed: int | None = None, dim: int) -> bool:  # type: ignore[override]
        return True


def cases() -> Iterator[Case]:
    for build in (Slot, AnyArguments, Plain):
        yield sound(_object(build))
    for build in (WithoutAlpha, OnlyAnnotated, CatchAll):
        yield broken(_object(build), "missing")
    yield broken(_object(FlagInsteadOfMethod), "no-method")
    for build in (OtherName, RequiresMore, NoDefault, KeywordOnly):
        yield broken(_object(build), "signature")


def _object(build: Callable[[], object]) -> Conformance:
    return Conformance(
        name=build.__name__,
        build=build,
        protocol=SlotProtocol,
        promises=[promise("protocol-conformance")],
    )
