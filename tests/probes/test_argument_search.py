"""What a search finds for arguments that only the body of a class explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.construction.argument_use import attributes_read, classes_with
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import tensors_in

pytestmark = pytest.mark.torch


class Tower(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.tower_width = width
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor, *, doubled: bool = False) -> Tensor:
        mixed: Tensor = self.mix(x)
        return mixed * 2 if doubled else mixed


class OnTower(nn.Module):
    """Reads an attribute of the module that it is given."""

    def __init__(self, net) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.net = net
        self.out = nn.Linear(net.tower_width, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.net(x, doubled=True))
        return out


class ByKeyword(nn.Module):
    """Calls the module that it is given with a keyword."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x, doubled=True)
        return out


class FromSettings(nn.Module):
    """Reads settings that no class declares."""

    def __init__(self, config) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.mix = nn.Linear(config.n_embd, config.n_embd * config.expansion_factor)
        self.head = Head(config)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.mix(x))
        return out


class Head(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        self.out = nn.Linear(settings.n_embd * settings.expansion_factor, settings.head_width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x)
        return out


class Wide(nn.Module):
    expansion = 2

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.mix = nn.Linear(planes, planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class OfBlocks(nn.Module):
    """Is given a class with an attribute."""

    def __init__(self, block) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.block = block(8)
        self.out = nn.Linear(8 * block.expansion, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.block(x))
        return out


class Depthwise(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        if not in_channels == out_channels == groups:
            raise ValueError("only in_channels == out_channels == groups is supported")
        self.conv = nn.Conv1d(in_channels, out_channels, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Stages(nn.Module):
    """Wants one stride less than channels."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        if len(strides) != len(channels) - 1:
            raise ValueError("the length of strides must be that of channels without one")
        pairs = zip(channels[:-1], channels[1:], strides, strict=True)
        self.convs = nn.Sequential(*[nn.Conv2d(a, b, 3, stride) for a, b, stride in pairs])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convs(x)
        return out


class Kernel(nn.Module):
    """Takes one size of a kernel or several."""

    def __init__(self, kernel_size: int | Sequence[int], stride: int | Sequence[int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, kernel_size, stride, padding=1)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out + x


class Pyramid(nn.Module):
    """Takes a list of pictures, one for each number of channels."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(count, 4, 1) for count in channels])

    def forward(self, features):  # type: ignore[no-untyped-def]
        if len(features) != len(self.convs):
            raise ValueError("another number of pictures")
        return [conv(x) for conv, x in zip(self.convs, features, strict=True)]


class Crossing(nn.Module):
    """Wants an argument that has a default."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        assert context is not None, "context must be passed in"
        out: Tensor = self.mix(x) + context.mean(1, keepdim=True)
        return out


class Named(nn.Module):
    """Takes a dictionary of pictures whose keys it does not name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)

    def forward(self, x):  # type: ignore[no-untyped-def]
        return {key: self.conv(value) for key, value in zip(x.keys(), x.values(), strict=True)}


class Grid(nn.Module):
    """Takes positions of a picture with its two sides."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, H, W) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: N803 - read by name
        batch, _, width = x.shape
        out: Tensor = self.conv(x.transpose(1, 2).view(batch, width, H, W))
        return out


class Tokens(nn.Module):
    """Wants a tuple as long as another number, and says so after a complaint about a type."""

    def __init__(self, depth, tokens_at) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        if len(tokens_at) != depth or not isinstance(tokens_at, tuple):
            raise ValueError("tokens_at must be a tuple whose length is the depth")
        self.mix = nn.Linear(tokens_at[0], tokens_at[-1])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Joining(nn.Module):
    """Joins two pictures whose channels are together those of its layer."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 2, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.cat([a, b], 1))
        return out


class Coupling(nn.Module):
    """Takes the shapes of its inputs, and a list of these."""

    def __init__(  # type: ignore[no-untyped-def]
        self, dims_in, subnet_constructor: Callable[[int, int], nn.Module], more=()
    ) -> None:
        super().__init__()
        if len(dims_in) != 1:
            raise ValueError("exactly 1 input")
        self.more = [len(one) for one in more]
        self.channels = dims_in[0][0]
        self.split = [self.channels - self.channels // 2, self.channels // 2]
        self.net = subnet_constructor(*self.split)
        self.ndims = len(tuple(dims_in[0]))

    def forward(self, x: Iterable[Tensor]) -> tuple[Tensor]:
        (only,) = x
        a, b = torch.split(only, self.split, dim=1)
        return (torch.cat([a, b + self.net(a)], 1),)


class Skipping(nn.Module):
    """Joins its enlarged input with another one."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, in_channels, 4, 4)
        self.conv = nn.Conv2d(2 * in_channels, 2, 1)

    def forward(self, a: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.cat([self.up(a), skip], 1))
        return out


class OfKinds(nn.Module):
    """Wants one of some words, which its message lists."""

    def __init__(self, model_name: str, dim: int) -> None:
        super().__init__()
        if model_name not in ("small-1", "large-2"):
            raise ValueError(f"invalid model_name {model_name}, must be one of small-1, large-2")
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Merging(nn.Module):
    """Unpacks the sides of its picture when it is called, whose positions it takes."""

    def __init__(self, input_resolution, dim) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.input_resolution = input_resolution
        self.mix = nn.Linear(4 * dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.input_resolution
        batch, positions, width = x.shape
        assert positions == rows * columns, "input feature has wrong size"
        joined = x.view(batch, rows // 2, 2, columns // 2, 2, width).transpose(2, 3)
        out: Tensor = self.mix(joined.reshape(batch, positions // 4, 4 * width))
        return out


class Column(NamedTuple):
    name: str
    vocabulary_size: int


class Table(nn.Module):
    """Takes a list of records of the package, and says only that their type is wrong."""

    def __init__(self, columns) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        if not all(isinstance(column, Column) for column in columns):
            raise TypeError("invalid column")
        self.sizes = nn.ModuleDict({c.name: nn.Embedding(c.vocabulary_size, 4) for c in columns})

    def forward(self, x: Tensor) -> Tensor:
        tables = enumerate(self.sizes.values())
        return torch.cat([table(x[:, number].long()) for number, table in tables], dim=-1)


class OfPictures(nn.Module):
    """Hands a picture to a module that it is given."""

    def __init__(self, in_channels: int, submodule: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 32, 3, padding=1)
        self.inner = nn.Sequential(nn.AvgPool2d(3), submodule, nn.Conv2d(32, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(self.conv(x))
        return out


class Maps:
    """What a decoder is told of its inputs: no settings by its name, and two lists of one length."""

    def __init__(self, channels: list[int], strides: Sequence[int] | int) -> None:
        if len(channels) != len(list(strides)):  # type: ignore[arg-type]  # on purpose
            raise RuntimeError(f"Length of channels({len(channels)}) must be that of strides")
        self.channels, self.strides = channels, strides


class OfMaps(nn.Module):
    """Is told of its inputs by an object of the package."""

    def __init__(self, maps: Maps) -> None:
        super().__init__()
        self.mix = nn.Linear(maps.channels[0], len(list(maps.strides)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(x)
        return out


class Wrapper(nn.Module):
    """Calls an argument whose name is that of a width."""

    def __init__(self, text_embed) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.text_embed = text_embed

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.text_embed(x)
        return out


class Dropping(nn.Module):
    """Does not run with what its argument is if it is left out."""

    def __init__(self, drop_prob: float | None = None) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 - self.drop_prob)  # type: ignore[operator]  # on purpose


class OfExperts(nn.Module):
    """Wants a list of modules of torch."""

    def __init__(self, experts) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        if isinstance(experts, list):
            raise TypeError("list is not a Module subclass")
        self.experts = experts

    def forward(self, x: Tensor) -> Tensor:
        outputs = [expert(x) for expert in self.experts]
        return torch.stack(outputs).sum(0)


class Frames(nn.Module):
    """Wants a token before as many positions as frames have patches, and says so as einops does."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        rest = x.shape[1] - 1
        if rest % 5:
            raise RuntimeError(f"Shape mismatch, can't divide axis of length {rest} in chunks of 5")
        out: Tensor = self.mix(x[:, 1:].reshape(x.shape[0], -1, 5, x.shape[2]))
        return out


class Spectral(nn.Module):
    """Wants as many steps as it says, and no other number."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != 48:
            raise ValueError(f"expects features to be of length 48, but found {x.shape[-1]}.")
        out: Tensor = self.conv(x)
        return out


class Phases(nn.Module):
    """Takes complex numbers, of which it reads the imaginary part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, dtype=torch.complex64))

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight).abs() + z.imag


FOUND = (
    Phases,
    Skipping, OfMaps, Wrapper, Dropping, OfExperts, Frames, Spectral,
    Table, OfPictures, Tokens, Joining, Coupling, OfKinds, Merging,
    OnTower, ByKeyword, FromSettings, OfBlocks, Depthwise, Stages, Kernel, Pyramid, Crossing,
    Named, Grid,
)  # fmt: skip


def recipe_of(kind: type) -> Recipe:
    result = find_recipe(f"{__name__}:{kind.__qualname__}")
    assert result.stage is Stage.RUN, result.reason
    return result.recipe


@pytest.mark.parametrize("kind", FOUND)
def test_a_class_whose_arguments_its_body_explains_runs(kind: type) -> None:
    assert recipe_of(kind).has_tensors()


def test_the_attributes_that_a_class_reads_are_those_of_the_argument_and_its_alias() -> None:
    assert attributes_read(OnTower, "net") == {"tower_width"}
    assert attributes_read(ByKeyword, "net") == frozenset()  # any module can be called


def test_the_class_with_most_of_the_attributes_comes_first() -> None:
    assert classes_with(OnTower, ["tower_width", "mix"])[0] is Tower
    assert classes_with(OnTower, [], keyword="doubled") == [Tower]
    assert classes_with(OnTower, ["no_class_has_this"]) == []


class Opaque(nn.Module):
    """Cannot be built by any guess."""

    def __init__(self, thing) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        raise RuntimeError("no")

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Calling(nn.Module):
    """Calls a number that no module can stand for."""

    def __init__(self, width) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.width, nn.Module):
            raise TypeError("no")
        out: Tensor = self.width(x)
        return out


def test_a_module_in_place_of_a_number_that_does_not_help_runs_no_class() -> None:
    assert find_recipe(f"{__name__}:Calling").stage is Stage.BUILT


def test_what_no_guess_builds_is_found_and_no_more() -> None:
    assert find_recipe(f"{__name__}:Opaque").stage is Stage.FOUND


class SizesOfNorm(nn.Module):
    """Holds a norm of which a size is a list, as a norm over complex parts does."""

    def __init__(self, num_features: int = 8) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(num_features)
        self.norm.num_features = [num_features]  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        return self.norm.weight * x


@pytest.mark.parametrize("kind", [nn.LazyLinear, SizesOfNorm], ids=lambda kind: str(kind.__name__))
def test_sizes_that_are_not_known_yet_end_no_search(kind: type[nn.Module]) -> None:
    found = find_recipe(f"{kind.__module__}:{kind.__qualname__}")
    assert found.stage is Stage.RUN, found.reason


class Rate(nn.Module):
    """Takes counts, which an annotation tells."""

    def forward(self, hits: torch.LongTensor, found: torch.BoolTensor) -> Tensor:
        return (hits * found) / (hits.sum() + 1)


def test_an_annotation_tells_the_dtype_of_an_argument() -> None:
    result = find_recipe(f"{__name__}:Rate")
    assert result.stage is Stage.RUN
    assert [spec.dtype for spec in tensors_in(result.recipe.call)] == ["int64", "bool"]
