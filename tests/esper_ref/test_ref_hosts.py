"""The hosts: their segments, their protocol, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from support.slots_in_stages import TOPOLOGIES, inputs, make_model
from torch import Tensor, nn

from esper_ref import CNNHost, InjectionSpec, MorphogeneticModel, TransformerHost
from esper_ref.errors import HostError, RoutingError
from esper_ref.host import require_host


def make_host(topology: str, *, dropout: float = 0.0) -> nn.Module:
    if topology == "cnn":
        return CNNHost(10, 3, 4, in_channels=1)
    return TransformerHost(
        11, n_embd=8, n_head=2, n_layer=6, block_size=16, dropout=dropout, num_segments=3
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_host_cut_anywhere_is_the_host_exactly(topology: str, training: bool) -> None:
    host, x = make_host(topology).train(training), inputs(topology)
    whole = host(x)
    ids = [spec.slot_id for spec in host.injection_specs()]
    assert ids == ["r0c0", "r0c1", "r0c2"]
    for i, stop in enumerate(ids):
        there = host.forward_to_segment(stop, x)
        assert torch.equal(host.forward_from_segment(stop, there), whole)
        for start in ids[: i + 1]:
            part = host.forward_to_segment(start, x)
            assert torch.equal(host.forward_to_segment(stop, part, from_segment=start), there)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_features_have_the_channels_that_the_host_promises(topology: str) -> None:
    host, x = make_host(topology), inputs(topology)
    end, position = 0, 0.0
    for spec in host.injection_specs():
        features = host.forward_to_segment(spec.slot_id, x)
        assert features.shape[1 if topology == "cnn" else 2] == spec.channels
        assert spec.layer_range[0] == end < spec.layer_range[1]
        assert position < spec.position <= 1.0
        end, position = spec.layer_range[1], spec.position
    assert position == 1.0


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_routing_backwards_or_to_nowhere_is_an_error(topology: str) -> None:
    host, x = make_host(topology), inputs(topology)
    features = host.forward_to_segment("r0c1", x)
    with pytest.raises(RoutingError, match="backwards from segment r0c1 to r0c0"):
        host.forward_to_segment("r0c0", features, from_segment="r0c1")
    with pytest.raises(RoutingError, match="'r9c9' does not exist"):
        host.forward_to_segment("r9c9", x)
    with pytest.raises(RoutingError, match="'r9c9' does not exist"):
        host.forward_from_segment("r9c9", features)


def test_the_head_of_the_transformer_is_its_embedding() -> None:
    host = TransformerHost(11)
    assert host.head.weight is host.token_embedding.weight


def test_the_channels_of_the_cnn_double() -> None:
    assert [spec.channels for spec in CNNHost().injection_specs()] == [32, 64, 128]


@pytest.mark.parametrize(
    "make",
    [
        lambda: CNNHost(n_blocks=0),
        lambda: TransformerHost(11, n_layer=4, num_segments=3),
        lambda: TransformerHost(11, n_embd=10, n_head=4),
        lambda: TransformerHost(11, block_size=4)(torch.zeros(1, 5, dtype=torch.long)),
    ],
)
def test_a_host_of_impossible_sizes_is_refused(make: object) -> None:
    with pytest.raises(HostError, match="expected"):
        make()


class Complete(nn.Module):
    topology = "cnn"
    causal = False

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        return (InjectionSpec("r0c0", 4, 1.0, (0, 1)),)

    def forward(self, x: Tensor) -> Tensor:
        return x

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None
    ) -> Tensor:
        return x

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:
        return x


class WrongSignature(Complete):
    def forward_to_segment(self, segment: str, x: Tensor) -> Tensor:  # type: ignore[override]
        return x


class NotCallable(Complete):
    forward_from_segment = "soon"  # type: ignore[assignment]


class NoTopology(Complete):
    topology = "ring"


class CatchAll(nn.Module):
    topology = "cnn"
    causal = False

    def forward(self, x: Tensor) -> Tensor:
        return x

    def __getattr__(self, name: str) -> object:
        return lambda *_: ()


class RepeatedSlot(Complete):
    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        return 2 * super().injection_specs()


class BadSlotId(Complete):
    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        return (InjectionSpec("first", 4, 1.0, (0, 1)),)


def test_anything_that_keeps_the_protocol_is_a_host() -> None:
    assert require_host(Complete()).injection_specs()
    for topology in TOPOLOGIES:
        require_host(make_host(topology))


@pytest.mark.parametrize(
    ("impostor", "lacking"),
    [
        (nn.Linear(2, 2), "method injection_specs"),
        (WrongSignature(), "keyword argument 'from_segment'"),
        (NotCallable(), "method forward_from_segment"),
        (NoTopology(), "attribute topology, one of"),
        (CatchAll(), "method forward_to_segment"),
        (RepeatedSlot(), "each with its own id"),
        (BadSlotId(), "of the form r0c0"),
    ],
)
def test_what_does_not_keep_the_protocol_is_refused_at_construction(
    impostor: nn.Module, lacking: str
) -> None:
    with pytest.raises(HostError, match=lacking):
        MorphogeneticModel(impostor, slots=["r0c0"])


@pytest.mark.parametrize("slots", [[], ["r0c7"]])
def test_a_model_without_slots_or_with_unknown_ones_is_refused(slots: list[str]) -> None:
    with pytest.raises(RoutingError, match="r0c0"):
        MorphogeneticModel(CNNHost(), slots=slots)
    with pytest.raises(RoutingError, match="no slot 'r0c7'"):
        make_model("cnn").slot("r0c7")


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_model_with_dormant_slots_is_its_host_exactly(topology: str) -> None:
    model, x = make_model(topology), inputs(topology)
    assert torch.equal(model(x), model.get_submodule("host")(x))


def test_slots_are_passed_in_the_hosts_order_whatever_order_they_were_asked_for_in() -> None:
    model = MorphogeneticModel(CNNHost(10, 3, 4), slots=["r0c2", "r0c0"])
    assert model.route == ("r0c0", "r0c2")
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_parameters_belong_to_host_or_seed_by_owner_and_not_by_name() -> None:
    model = make_model("cnn")
    model.germinate_seed("conv_light", slot="r0c0", alpha_algorithm="gate")
    model.germinate_seed("attention", slot="r0c1")
    host, seeds = set(model.get_host_parameters()), set(model.get_seed_parameters())
    assert host == set(model.get_submodule("host").parameters())
    assert not host & seeds
    assert host | seeds == set(model.parameters())
    slot = model.slot("r0c0")
    assert slot.gate is not None
    assert set(model.get_seed_parameters("r0c0")) == {
        *slot.gate.parameters(),
        *slot.get_submodule("seed").parameters(),
    }


def test_a_model_can_cull_by_slot() -> None:
    model = make_model("cnn")
    model.germinate_seed("norm", slot="r0c1")
    model.cull_seed("r0c1")
    assert not list(model.get_seed_parameters())
