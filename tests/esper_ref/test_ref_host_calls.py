"""A host is what can be called as the model calls it, whatever its parameters are named."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest
import torch
from test_ref_hosts import Complete
from torch import Tensor, nn

from esper_ref import InjectionSpec, MorphogeneticModel
from esper_ref.errors import HostError
from esper_ref.host import require_host


class Layer(nn.Module):
    """The parts that every host below shares."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        return (InjectionSpec("r0c0", 4, 1.0, (0, 1)),)


class OtherNames(Layer):
    """Every parameter has another name than in the protocol, `self` included."""

    topology = "cnn"
    causal = False

    def forward(this, pictures: Tensor) -> Tensor:  # noqa: N805  # that is the point
        return this.conv(pictures)

    def forward_to_segment(me, slot_id: str, h: Tensor, *, from_segment: Any = None) -> Tensor:  # noqa: N805  # that is the point
        return me.conv(h) if from_segment is None else h

    def forward_from_segment(me, slot_id: str, h: Tensor) -> Tensor:  # noqa: N805  # that is the point
        return h


class Variadic(Layer):
    topology = "cnn"
    causal = False

    def forward(self, *pictures: Tensor) -> Tensor:
        return self.conv(pictures[0])

    def forward_to_segment(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.conv(args[1])

    def forward_from_segment(self, *args: Any) -> Tensor:
        return args[1]


def counted(method: Any) -> Any:
    @wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


class Decorated(OtherNames):
    forward_to_segment = counted(OtherNames.forward_to_segment)

    @staticmethod
    def forward_from_segment(_slot_id: str, h: Tensor) -> Tensor:
        return h


class TopologyOfTheInstance(OtherNames):
    topology = None

    def __init__(self, topology: str) -> None:
        super().__init__()
        self.topology = topology


class TopologyByProperty(OtherNames):
    @property
    def topology(self) -> str:  # type: ignore[override]  # another way to have one
        return "cnn"


class MethodOfTheInstance(OtherNames):
    forward_from_segment = None  # type: ignore[assignment]  # the instance has its own

    def __init__(self) -> None:
        super().__init__()
        self.forward_from_segment = lambda _slot_id, h: h  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "host",
    [
        OtherNames(),
        Variadic(),
        Decorated(),
        TopologyOfTheInstance("cnn"),
        TopologyByProperty(),
        MethodOfTheInstance(),
    ],
    ids=lambda host: type(host).__name__,
)
def test_a_host_that_can_be_called_is_taken_and_grows(host: nn.Module) -> None:
    model = MorphogeneticModel(host, slots=["r0c0"])
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(model(x), host(x))
    assert model.slot("r0c0").topology == "cnn"
    model.germinate_seed("norm", slot="r0c0")
    assert model.slot("r0c0").advance_stage().passed
    assert torch.equal(model(x), host(x))


class PositionalOrigin(Complete):
    def forward_to_segment(  # type: ignore[override]  # that is the point
        self, segment: str, x: Tensor, from_segment: str | None = None, /
    ) -> Tensor:
        return x


class RequiredOrigin(Complete):
    def forward_to_segment(self, segment: str, x: Tensor, from_segment: str) -> Tensor:  # type: ignore[override]
        return x


class OneMore(Complete):
    def forward_from_segment(self, segment: str, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return x


class SpecsOfSomething(Complete):
    def injection_specs(self, of: str) -> tuple[InjectionSpec, ...]:  # type: ignore[override]
        return super().injection_specs()


@pytest.mark.parametrize(
    ("host", "named"),
    [
        (PositionalOrigin(), "forward_to_segment.*from_segment"),
        (RequiredOrigin(), "forward_to_segment.*from_segment"),
        (OneMore(), "forward_from_segment.*'y'"),
        (SpecsOfSomething(), "injection_specs.*'of'"),
        (TopologyOfTheInstance("ring"), "topology, one of"),
        (TopologyOfTheInstance(["cnn"]), "topology, one of"),  # type: ignore[arg-type]  # that is the point
    ],
    ids=["positional", "required", "one_more", "specs", "ring", "unhashable"],
)
def test_a_host_that_cannot_be_called_is_refused_with_the_call(host: nn.Module, named: str) -> None:
    with pytest.raises(HostError, match=named):
        require_host(host)
