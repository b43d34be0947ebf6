"""Settings that a constructor takes: which class they are of, and the small sizes that they are given."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.construction.settings import smaller_settings
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.recipes.materialise import materialise
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import CallSpec

pytestmark = pytest.mark.torch

HUGE = 10**6  # parameters that no test may draw


@dataclass
class LargeConfig:
    """Of a model with seven thousand million parameters."""

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 8
    max_position_embeddings: int = 4096
    pad_token_id: int = 31999
    patch_size: int = 14

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError("the heads do not divide the features")


class LargeModel(nn.Module):
    def __init__(self, config: LargeConfig) -> None:
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        shape = (config.num_hidden_layers, config.hidden_size, config.intermediate_size)
        self.weight = nn.Parameter(torch.randn(shape))
        self.groups = config.num_attention_heads // config.num_key_value_heads
        assert self.groups * config.num_key_value_heads == config.num_attention_heads

    def forward(self, ids: Tensor) -> Tensor:
        x: Tensor = self.embed(ids)
        for weight in self.weight:
            x = x + x @ weight @ weight.T
        return x


class LargeForWords(nn.Module):
    """Does not say of which class its settings are, and leaves them to a model."""

    def __init__(self, config) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.model = LargeModel(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.head(self.model(ids))
        return out


@dataclass
class NarrowArgs:
    """Of a model that is small, but of an attribute that only its call asks for."""

    width: int = 12
    end_token_id: int | None = None
    stages: list[int] = field(default_factory=lambda: [3, 3])


class Narrow(nn.Module):
    def __init__(self, args: NarrowArgs) -> None:
        super().__init__()
        self.args = args
        self.mix = nn.ModuleList([nn.Linear(args.width, args.width) for _ in args.stages])

    def forward(self, x: Tensor) -> Tensor:
        if self.args.end_token_id is None:
            raise ValueError("no token ends a sequence")
        for layer in self.mix:
            x = layer(x)
        return x


class WithOptionalConfig(nn.Module):
    """Needs settings that may be left out."""

    def __init__(self, width: int, config: LargeConfig | None = None) -> None:
        super().__init__()
        self.mix, self.config = nn.Linear(width, width), config

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x) * self.config.patch_size  # type: ignore[union-attr]  # on purpose
        return out


class CrossConfig:
    """Makes what it was not given of other numbers, and refuses any other width."""

    def __init__(self, d_model: int = 512, num_layers: int = 12) -> None:
        if d_model != 512:
            raise ValueError("only 512 is supported")
        self.d_model, self.num_layers = d_model, num_layers


class CrossModel(nn.Module):
    def __init__(self, config: CrossConfig) -> None:
        super().__init__()
        layers = [nn.Linear(config.d_model, config.d_model) for _ in range(config.num_layers)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


@dataclass
class PartConfig:
    """Of a part whose width the settings of the whole set, and which does not refuse its absence."""

    embedding_dim: int = -1
    steps: int = None  # type: ignore[assignment]  # on purpose


@dataclass
class StackConfig:
    """Refuses its own defaults."""

    num_heads: int = -1
    part: PartConfig | None = None

    def __post_init__(self) -> None:
        if self.num_heads <= 0:
            raise ValueError("num_heads must be set")
        if self.part is None:
            raise ValueError("a part must be provided")


class Part(nn.Module):
    def __init__(self, config: PartConfig) -> None:
        super().__init__()
        self.mix = nn.Linear(config.embedding_dim, config.embedding_dim // config.steps)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Stack(nn.Module):
    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        assert config.part is not None
        width = config.part.embedding_dim
        self.heads = nn.ModuleList([nn.Linear(width, 4) for _ in range(config.num_heads)])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([head(x) for head in self.heads], -1)


@dataclass
class BrokenConfig:
    """Refuses everything."""

    width: int = 8

    def __post_init__(self) -> None:
        raise RuntimeError("no")


class OfBroken(nn.Module):
    def __init__(self, config: BrokenConfig) -> None:
        super().__init__()
        self.mix = nn.Linear(config.width, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Tuned(nn.Module):
    """Is given no settings, but a number by one of their names."""

    def __init__(self, options: int) -> None:
        super().__init__()
        self.mix = nn.Linear(options, options)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Joining(nn.Module):
    """Wants a second input, which it names by the end of its name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, inputs: Tensor, decoder_inputs: Tensor | None = None) -> Tensor:
        if decoder_inputs is None:
            raise ValueError("the inputs of the decoder are missing")
        out: Tensor = self.mix(inputs) + decoder_inputs
        return out


def recipe_of(kind: type) -> Recipe:
    result = find_recipe(f"{__name__}:{kind.__qualname__}")
    assert result.stage is Stage.RUN, result.reason
    return result.recipe


def made(call: object) -> LargeConfig:
    assert isinstance(call, CallSpec)
    settings = materialise(call, torch.default_generator)
    assert isinstance(settings, LargeConfig)
    return settings


@pytest.mark.parametrize("kind", [LargeModel, LargeForWords])
def test_a_model_of_large_settings_runs_in_small_ones(kind: type) -> None:
    settings = made(recipe_of(kind).build.kwargs["config"])
    assert settings.hidden_size * settings.intermediate_size * settings.num_hidden_layers < HUGE
    assert settings.num_attention_heads % settings.num_key_value_heads == 0
    assert settings.intermediate_size > settings.hidden_size
    assert settings.pad_token_id < settings.vocab_size < 1000


def test_sizes_of_pictures_stay_and_a_large_default_is_never_built() -> None:
    calls = smaller_settings(LargeConfig, CallSpec(f"{__name__}:LargeConfig"))
    assert {made(call).patch_size for call in calls} == {14}
    assert CallSpec(f"{__name__}:LargeConfig") not in calls


def test_settings_that_refuse_a_width_keep_it_with_fewer_layers() -> None:
    assert recipe_of(CrossModel).build.kwargs["config"] == CallSpec(
        f"{__name__}:CrossConfig", (), {"num_layers": 2}
    )


def test_small_settings_stay_and_get_what_a_call_asks_for() -> None:
    settings = recipe_of(Narrow).build.kwargs["args"]
    assert settings == CallSpec(f"{__name__}:NarrowArgs", (), {"end_token_id": 0})


@pytest.mark.parametrize("kind", [Part, Stack])
def test_settings_whose_defaults_only_say_that_they_are_wanted_get_sizes(kind: type) -> None:
    assert isinstance(recipe_of(kind).build.kwargs["config"], CallSpec)


def test_a_model_of_settings_that_cannot_be_made_is_found_and_no_more() -> None:
    assert find_recipe(f"{__name__}:OfBroken").stage is Stage.FOUND


def test_settings_that_may_be_left_out_are_given_where_none_fails() -> None:
    assert made(recipe_of(WithOptionalConfig).build.kwargs["config"]).patch_size == 14


def test_a_number_by_the_name_of_settings_is_a_number() -> None:
    assert isinstance(recipe_of(Tuned).build.kwargs["options"], int)


def test_an_input_that_a_message_names_by_its_end_is_given() -> None:
    assert "decoder_inputs" in recipe_of(Joining).call.kwargs
