"""Calls that take an object or a dictionary, and texts that only comparisons name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.construction.text_choices import compared_texts, texts_of_name
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.discovery.trial_queue import TrialQueue
from esper_audit.probes.measure.output_tree import differs, tensors_of
from esper_audit.probes.recipes.values import Arguments, CallSpec

pytestmark = pytest.mark.torch
KEY_OF_WIDTH = "width_key"
SMOOTH = "smooth_step"


class Signal:
    """A waveform with its rate."""

    def __init__(self, samples: Tensor, rate: int = 8) -> None:
        if samples.dim() < 2:
            raise ValueError("samples must have channels")
        self.samples, self.rate = samples, rate


class Diagram(NamedTuple):
    pairs: Tensor
    births: Tensor


class Gain(nn.Module):
    """Takes and returns a signal."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, signal: Signal) -> Signal:
        if signal.rate != self.rate:
            raise ValueError("another rate")
        return Signal(signal.samples * self.gain, signal.rate)


class Strict(nn.Module):
    """Names the class that it wants in its message only."""

    def forward(self, signal):  # type: ignore[no-untyped-def]
        if not isinstance(signal, Signal):
            raise TypeError(f"Expected signal to be a Signal, but got {type(signal).__name__}.")
        return signal.samples * 2


class Spread(nn.Module):
    """Reads the attribute of a record."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        return x.births.sum()


class Keyed(nn.Module):
    """Reads entries by computed keys."""

    def __init__(self) -> None:
        super().__init__()
        self.key = "features"
        self.mix = nn.Linear(8, 2)

    def forward(self, data: Mapping[str, Any]) -> Tensor:
        out: Tensor = self.mix(data[self.key]) + data[KEY_OF_WIDTH].sum()
        return out


class Constant(nn.Module):
    """Needs nothing of the dictionary that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 2)

    def forward(self, data: Mapping[str, Tensor]) -> Tensor:
        found = data.get("features")
        return self.mix.weight if found is None else self.mix(found)


class Graded(nn.Module):
    """Compares an argument with constants and literals."""

    def __init__(self, grading: str) -> None:
        super().__init__()
        if grading not in (SMOOTH, "steep"):
            raise ValueError("unknown")

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Member(nn.Module):
    """What others complete."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Bell(Member):
    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = nn.Parameter(torch.tensor(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-((x / self.width) ** 2))


class Family(nn.Module):
    """Is made of lists of members, by name."""

    def __init__(self, members: Mapping[str, Sequence[Member]]) -> None:
        super().__init__()
        self.members = nn.ModuleDict({n: nn.ModuleList(list(m)) for n, m in members.items()})

    def forward(self, x: Tensor) -> Tensor:
        members = [one for one in self.modules() if isinstance(one, Member)]
        return torch.cat([one(x) for one in members], -1)


class Sized(nn.Module):
    """Has a width of zero unless it is given one."""

    def __init__(self, num_hidden: int = 0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_hidden)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x)
        return out


@pytest.mark.parametrize("kind", [Gain, Strict, Spread, Keyed, Graded, Family, Sized])
def test_what_a_call_wants_is_found(kind: type[nn.Module]) -> None:
    result = find_recipe(f"{kind.__module__}:{kind.__qualname__}")
    assert result.stage is Stage.RUN, result.reason


def test_an_object_takes_what_the_constructor_was_given() -> None:
    recipe = find_recipe(f"{__name__}:Gain").recipe
    (signal,) = recipe.call.args
    assert isinstance(signal, CallSpec)
    assert signal.kwargs["rate"] == recipe.build.kwargs["rate"]


def test_a_dictionary_without_tensors_is_no_run() -> None:
    result = find_recipe(f"{__name__}:Constant")
    assert result.stage is not Stage.RUN or result.recipe.has_tensors()


def test_the_tensors_of_an_object_are_compared() -> None:
    one, other = Signal(torch.zeros(1, 2)), Signal(torch.ones(1, 2))
    assert [list(t.shape) for t in tensors_of(one)] == [[1, 2]]
    assert differs(one, other)
    assert not differs(one, Signal(torch.zeros(1, 2)))


def test_compared_texts_are_read_of_literals_and_constants() -> None:
    assert compared_texts(Graded, "grading") == ["smooth_step", "steep"]
    assert texts_of_name(Graded, "gradin") == []


def test_a_later_failure_is_followed_first_and_the_same_one_not_at_all() -> None:
    early = TrialFailure("TypeError", "early", (), "a.py:3", (3,))
    late = TrialFailure("TypeError", "late", (), "a.py:9", (9,))
    queue = TrialQueue(Arguments())
    start = queue.pop()
    queue.add_after(early, start, [Arguments((1,)), Arguments((2,))])
    second = queue.pop()
    queue.add_after(late, second, [Arguments((3,)), Arguments((1,))])
    assert [queue.pop().arguments.args for _ in range(2)] == [(3,), (2,)]
    assert not queue
    assert second.is_no_better(early)
    assert not second.is_no_better(late)


class Plural(nn.Module):
    """Takes as many pictures as it has widths."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.mix = nn.ModuleList([nn.Conv2d(width, 8, 1) for width in widths])

    def forward(self, *features: Tensor) -> Tensor:
        pooled = [m(f).mean((2, 3)) for m, f in zip(self.mix, features, strict=True)]
        return torch.stack(pooled)


class Flattened(nn.Module):
    """Takes pictures of one size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.out = nn.Linear(4 * 24 * 24, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.conv(x).flatten(1))
        return out


class Signed(nn.Module):
    """Wants one of two numbers, by an assertion without a message."""

    def __init__(self, sign: int) -> None:
        super().__init__()
        assert sign in (-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return -x


class OneOf(nn.Module):
    """Wants one of two arguments."""

    def __init__(self, depth: int | None = None, indices: list[int] | None = None) -> None:
        super().__init__()
        if depth is None and indices is None:
            raise ValueError("Either depth or indices should be specified")

    def forward(self, x: Tensor) -> Tensor:
        return -x


class Raised(nn.Module):
    """Refuses the name of an activation in another spelling, and a tensor of another rank."""

    def __init__(self, activation: str, weight: Tensor) -> None:
        super().__init__()
        if activation not in dir(nn):
            raise NotImplementedError(f"Activation: {activation!r} is not implemented yet.")
        if weight.dim() != 3:
            raise ValueError(f"Expected 'weight' to be a 3D tensor, but got {weight.dim()}D")

    def forward(self, x: Tensor) -> Tensor:
        return -x


class Embedded(nn.Module):
    """Reads the attribute of a layer of torch."""

    def __init__(self, table) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.out = nn.Linear(table.embedding_dim, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x)
        return out


class Vocoder(nn.Module):
    """Reads lists, and lists of lists, of settings that no class declares."""

    def __init__(self, h) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        size = len(h.resblock_kernel_sizes)
        dilations = [dilation[1] for dilation in h.resblock_dilation_sizes]
        self.convs = nn.ModuleList([nn.Conv1d(8, 8, size, dilation=d) for d in dilations])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convs[0](x)
        return out


class Counted(nn.Module):
    """Takes any arguments, and counts them itself."""

    def forward(self, *args: Tensor) -> Tensor:
        if len(args) != 3:
            raise TypeError(
                f"Counted expects 3 positional arguments (['x', 'y', 'y_mask']), got {len(args)}."
            )
        return args[0] * args[2] - args[1]


class Shaped(nn.Module):
    """Names the shape that it wants, with letters for what is free."""

    def forward(self, branches: Tensor) -> Tensor:
        if branches.dim() != 3 or branches.shape[1] != 7:
            raise ValueError(f"attention expects [B, 7, C], got {tuple(branches.shape)}")
        return branches * 2


class Oblong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (40, 24):
            raise ValueError(f"expects input size (40, 24), got {tuple(x.shape[-2:])}")
        return x * 2


class Asking(nn.Module):
    """Takes truth values only."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype == torch.bool, "Input must be boolean"
        return x.float().cumsum(0)


class Trapezoid(nn.Module):
    def __init__(self, a: float, b: float, c: float, d: float) -> None:
        super().__init__()
        if not a < b <= c < d:
            raise ValueError("expected a < b <= c < d")
        self.span = d - a

    def forward(self, x: Tensor) -> Tensor:
        return x / self.span


class Full(nn.Module):
    """Takes more memory than there is at the size that it defaults to."""

    def __init__(self, hidden_dim: int = 4096) -> None:
        super().__init__()
        self.side = hidden_dim
        self.is_full = True
        self.is_ready = False
        self._allocate()

    def _allocate(self) -> None:
        if self.side > 512:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        self.scale = nn.Parameter(torch.ones(self.side))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean() * self.scale


@pytest.mark.parametrize(
    "kind",
    [
        Full,
        Trapezoid,
        Plural,
        Flattened,
        Signed,
        OneOf,
        Raised,
        Embedded,
        Vocoder,
        Counted,
        Shaped,
        Oblong,
        Asking,
    ],
    ids=lambda kind: kind.__name__,
)
def test_what_a_message_or_a_line_asks_for_is_given(kind: type[nn.Module]) -> None:
    result = find_recipe(f"{kind.__module__}:{kind.__qualname__}")
    assert result.stage is Stage.RUN, result.reason
