"""Arguments of a constructor that are modules, dictionaries, texts of a table, or settings with placeholders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor, nn

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.construction.argument_use import ModuleCall, calls_of, keys_read
from esper_audit.probes.discovery.construction.guesses import parameters_of
from esper_audit.probes.discovery.construction.settings import smaller_settings
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.recipes.values import CallSpec

pytestmark = pytest.mark.torch
DEFAULTS = {"name": "fine", "fine": {"first_dim": 8, "block_dims": [8, 16, 24], "kind": "linear"}}
LAYERS = {"affine": nn.Linear, "shared": nn.Identity}


class ScaledAttention(nn.Module):
    """What a layer of attention is given."""

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, tau: float = 1.0) -> Tensor:
        return torch.softmax(queries @ keys.transpose(-1, -2) / tau, -1) @ values


class OfAttention(nn.Module):
    """Calls what it keeps by another name, with three tensors and a keyword."""

    def __init__(self, attention, width: int) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.inner = attention
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(x)
        out: Tensor = self.inner(mixed, mixed, mixed, tau=2.0)
        return out


class MaskedLayer(nn.Module):
    """Takes two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        out: Tensor = self.mix(x) * weight
        return out


class OfLayers(nn.Module):
    """Calls each of its layers with two tensors."""

    def __init__(self, masked_layers) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.masked_layers = nn.ModuleList(masked_layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.masked_layers:
            x = layer(x, x)
        return x


class PairPenalty(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x[:-1] - x[1:]).abs()


class OfPenalty(nn.Module):
    """Names the class of its argument in a message only."""

    def __init__(self, loss) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        if not isinstance(loss, PairPenalty):
            raise TypeError("The input loss must extend PairPenalty")
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.loss(x)
        return out


class FromTable(nn.Module):
    """Reads a dictionary that a table of the package holds, whose values no name tells."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        first, (second, third, fourth) = config["first_dim"], config["block_dims"]
        widths = (first, second, third, fourth)
        pairs = pairwise(widths)
        self.mix = nn.Sequential(*[nn.Linear(a, b) for a, b in pairs])
        self.is_linear = {"linear": True}[config["kind"]]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class FromMetadata(nn.Module):
    """Needs a dictionary that may be left out, and reads some of it by `get`."""

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.metadata = metadata
        self.mix = nn.Linear(self.metadata["max_encoder_length"], metadata["encoder_width"])  # type: ignore[index]  # on purpose
        self.scale = self.metadata.get("scale", 1.0)  # type: ignore[union-attr]  # on purpose

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class ByName(nn.Module):
    """Looks its layer up in a table."""

    def __init__(self, name, width: int) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.mix = LAYERS[name](width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Resolving(nn.Module):
    """Lists the texts that it takes, of which it is given several."""

    def __init__(self, aggregators: list[str]) -> None:
        super().__init__()
        for one in aggregators:
            if one not in (choices := frozenset({"SumOf", "MeanOf"})):
                raise ValueError(f"Could not resolve {one!r} among choices {set(choices)}")

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1)


@dataclass
class LayerConfig:
    dim_in: int = -1
    dim_out: int = -1


class OfPlaceholders(nn.Module):
    """Is given settings whose defaults are no sizes."""

    def __init__(self, layer_config: LayerConfig) -> None:
        super().__init__()
        self.mix = nn.Linear(layer_config.dim_in, layer_config.dim_out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


@dataclass
class Inner:
    width: int


@dataclass
class Middle:
    inner: Inner


@dataclass
class Outer:
    middle: Middle


class OfRecords(nn.Module):
    """Is given a record in a record in a record."""

    def __init__(self, outer: Outer) -> None:
        super().__init__()
        width = outer.middle.inner.width
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Refused:
    """Cannot be built."""

    def __init__(self) -> None:
        raise RuntimeError("no")


class Optional(nn.Module):
    """Wants None, or an object of its package that cannot be built."""

    def __init__(self, bias: Refused | None) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if self.bias is None else x + self.bias.value  # type: ignore[attr-defined,no-any-return]


FOUND = (
    OfAttention, OfLayers, OfPenalty, FromTable, FromMetadata, ByName, Resolving, OfPlaceholders,
    OfRecords, Optional,
)  # fmt: skip


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: str(kind.__name__))
def test_what_a_constructor_does_with_an_argument_finds_it(kind: type[nn.Module]) -> None:
    result = find_recipe(f"{__name__}:{kind.__name__}")
    assert result.stage is Stage.RUN, result.reason


def test_the_module_is_one_that_can_be_called_as_it_is() -> None:
    attention = find_recipe(f"{__name__}:OfAttention").recipe.build.kwargs["attention"]
    assert attention == CallSpec(f"{__name__}:ScaledAttention")


def test_a_dictionary_is_that_of_the_package_before_any_guess() -> None:
    assert find_recipe(f"{__name__}:FromTable").recipe.build.kwargs["config"] == DEFAULTS["fine"]


def test_the_uses_of_an_argument_are_read_by_its_name_and_by_the_attribute_that_keeps_it() -> None:
    assert calls_of(OfAttention, "attention") == [ModuleCall(3, frozenset({"tau"}))]
    assert calls_of(OfAttention, "width") == []
    assert keys_read(FromMetadata, "metadata") == ["max_encoder_length", "encoder_width", "scale"]


def test_what_has_no_signature_has_no_parameters() -> None:
    mock = type("Mock", (), {"__signature__": MagicMock()})
    assert parameters_of(mock) == []


def test_a_negative_width_in_settings_is_given() -> None:
    settings = smaller_settings(LayerConfig, CallSpec(f"{__name__}:LayerConfig"))
    assert settings[0].kwargs == {"dim_in": 32, "dim_out": 32}
