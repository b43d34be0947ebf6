"""A network that was not written as a host becomes one: ResNet-18, a ViT, inputs of several kinds."""

from __future__ import annotations

import pytest
import torch
from support.residual_network import ResNet18, ViT
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    BlueprintRegistry,
    Layout,
    MorphogeneticModel,
    SeedSlot,
    SegmentedHost,
    TransformerHost,
    register_topology,
    unregister_topology,
)
from esper_ref.blueprints.transformer_attention import BidirectionalAttention, CausalAttention
from esper_ref.errors import BlueprintError, CheckpointError, HostError, TopologyError
from esper_ref.host import require_host

MASK = "src_key_padding_mask"


def resnet_host(net: ResNet18) -> SegmentedHost:
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    head = nn.Sequential(net.avgpool, nn.Flatten(), net.fc)
    segments = [stem, net.layer2, net.layer3, net.layer4]
    return SegmentedHost(segments, net.widths, topology="cnn", head=head)


class FirstToken(nn.Module):
    def __init__(self, net: ViT) -> None:
        super().__init__()
        self.norm, self.head = net.norm, net.head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x)[:, 0])


class Embedded(nn.Module):
    def __init__(self, net: ViT) -> None:
        super().__init__()
        self.patches, self.block = net.patches, net.blocks[0]

    def forward(self, x: Tensor, src_key_padding_mask: Tensor | None = None) -> Tensor:
        return self.block(self.patches(x), src_key_padding_mask=src_key_padding_mask)


def vit_host(net: ViT) -> SegmentedHost:
    segments = [Embedded(net), *net.blocks[1:]]
    widths = [net.head.in_features] * len(segments)
    return SegmentedHost(
        segments, widths, topology="transformer", head=FirstToken(net), inputs=[MASK]
    )


def test_a_resnet_is_a_host_and_the_model_is_the_network_until_a_seed_is_blended() -> None:
    net = ResNet18(width=4).eval()
    model = MorphogeneticModel(resnet_host(net), slots=["r0c1", "r0c3"]).eval()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(x), net(x))
    assert model.germinate_seed("conv_light", slot="r0c3").passed
    assert model.slot("r0c3").advance_stage().passed
    assert torch.equal(model(x), net(x))


def test_a_mask_reaches_every_segment_that_takes_it() -> None:
    net = ViT().eval()
    model = MorphogeneticModel(vit_host(net), slots=["r0c0", "r0c1"]).eval()
    x = torch.randn(3, 3, 16, 16)
    mask = torch.zeros(3, 17, dtype=torch.bool)
    mask[:, 9:] = True
    assert torch.equal(model(x, src_key_padding_mask=mask), net(x, mask))
    assert not torch.equal(model(x, src_key_padding_mask=mask), model(x))


class Named(TransformerHost):
    """Takes ids by name, and a scale for its logits."""

    def forward(self, ids: Tensor, scale: float = 1.0) -> Tensor:
        return scale * super().forward(ids)

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None, scale: float = 1.0
    ) -> Tensor:
        return super().forward_to_segment(segment, x, from_segment)

    def forward_from_segment(self, segment: str, x: Tensor, scale: float = 1.0) -> Tensor:
        return scale * super().forward_from_segment(segment, x)


def named() -> Named:
    torch.manual_seed(0)
    return Named(11, n_embd=8, n_head=2, n_layer=2, block_size=6, num_segments=2)


def test_inputs_may_be_given_by_position_or_by_name() -> None:
    host = named()
    model = MorphogeneticModel(host, slots=["r0c0"])
    ids = torch.randint(0, 11, (2, 5))
    for got in (model(ids, 2.0), model(ids, scale=2.0), model(ids=ids, scale=2.0)):
        assert torch.equal(got, host(ids, 2.0))
    with pytest.raises(TypeError, match="expected ids, scale, each once"):
        model(ids, 2.0, scale=3.0)
    with pytest.raises(TypeError, match="expected ids, scale"):
        model(scale=2.0)


class OneSided(Named):
    """Takes a scale in forward that no segment hears of."""

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward_from_segment(segment, x)


def test_an_input_that_a_segment_does_not_take_is_refused() -> None:
    with pytest.raises(HostError, match=r"forward_from_segment.*scale"):
        require_host(OneSided(11, n_embd=8, n_head=2, n_layer=2, block_size=6, num_segments=2))


def test_a_host_that_is_not_causal_gets_seeds_that_see_all_tokens() -> None:
    model = MorphogeneticModel(vit_host(ViT()), slots=["r0c0"])
    model.germinate_seed("attention", slot="r0c0", alpha_algorithm=AlphaAlgorithm.GATE)
    slot = model.slot("r0c0")
    assert isinstance(slot.seed, BidirectionalAttention)
    assert slot.advance_stage().passed
    assert slot.gate is not None
    assert slot.gate.get_alpha_for_blend(torch.randn(2, 17, 32)).shape == (2, 1, 1)


def test_a_causal_host_gets_causal_seeds_and_refuses_others() -> None:
    slot = SeedSlot("r0c0", 8, topology="transformer")
    with pytest.raises(BlueprintError, match="the host is causal"):
        slot.germinate("attention", blueprint_options={"causal": False})
    slot.germinate("attention")
    assert type(slot.seed) is CausalAttention


class LooksAhead(nn.Module):
    """The identity at birth, and a mean over all tokens later: nothing declares it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * x.mean(1, keepdim=True)


@pytest.fixture
def looks_ahead_blueprint() -> object:
    BlueprintRegistry.register("ahead", "transformer", lambda dim: dim)(LooksAhead)
    yield
    BlueprintRegistry.unregister("transformer", "ahead")


@pytest.mark.usefixtures("looks_ahead_blueprint")
@pytest.mark.parametrize("causal", [True, False])
def test_g1_measures_whether_a_seed_looks_ahead(*, causal: bool) -> None:
    slot = SeedSlot("r0c0", 8, topology="transformer", causal=causal)
    state = torch.get_rng_state()
    slot.germinate("ahead")
    result = slot.advance_stage()
    assert result.passed is not causal
    assert ("causal" in result.checks_failed) is causal
    assert slot.state.looks_ahead is (True if causal else None)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_declared_bidirectional_blueprint_is_refused_at_germination() -> None:
    register = BlueprintRegistry.register
    register("both", "transformer", lambda dim: dim, bidirectional=True)(LooksAhead)
    try:
        with pytest.raises(BlueprintError, match="lets a position see later ones"):
            SeedSlot("r0c0", 8, topology="transformer").germinate("both")
        SeedSlot("r0c0", 8, topology="transformer", causal=False).germinate("both")
    finally:
        BlueprintRegistry.unregister("transformer", "both")


def test_a_checkpoint_of_a_causal_slot_does_not_load_into_another() -> None:
    slot = SeedSlot("r0c0", 8, topology="transformer")
    slot.germinate("mlp")
    other = SeedSlot("r0c0", 8, topology="transformer", causal=False)
    with pytest.raises(CheckpointError, match="causal"):
        other.load_state_dict(slot.state_dict())


SEQUENCES = Layout(("batch", "channels", "time"), 1, 16, (2, 9), position_axis=2, isolated=True)


class TimeHost(nn.Module):
    topology = "sequences"
    causal = True

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 3)

    def injection_specs(self) -> object:
        return SegmentedHost([self.conv], [8], topology="cnn").injection_specs()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(nn.functional.pad(x, (2, 0)))

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None
    ) -> Tensor:
        return self.forward(x) if from_segment is None else x

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:
        return x


class ChannelScale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@pytest.fixture
def sequences() -> object:
    register_topology("sequences", SEQUENCES)
    BlueprintRegistry.register("scale", "sequences", lambda dim: dim)(ChannelScale)
    yield
    BlueprintRegistry.unregister("sequences", "scale")
    unregister_topology("sequences")


@pytest.mark.usefixtures("sequences")
def test_a_topology_of_ones_own_grows() -> None:
    model = MorphogeneticModel(TimeHost(), slots=["r0c0"])
    x = torch.randn(2, 3, 10)
    before = model(x)
    model.germinate_seed("scale", slot="r0c0", alpha_algorithm=AlphaAlgorithm.GATE)
    slot = model.slot("r0c0")
    assert slot.advance_stage().passed
    assert slot.isolation.isolates("sequences", slot.state.stage)
    assert slot.gate is not None
    gate = slot.gate.get_alpha_for_blend(before)
    assert gate.shape == (2, 1, 10)
    later = before.clone()
    later[..., -1] += 1.0
    assert torch.equal(slot.gate.get_alpha_for_blend(later)[..., :-1], gate[..., :-1])
    with slot.force_alpha(0.5):
        assert torch.equal(model(x), before)


@pytest.mark.usefixtures("sequences")
def test_a_topology_is_registered_once_and_has_sensible_axes() -> None:
    with pytest.raises(TopologyError, match="already registered"):
        register_topology("sequences", SEQUENCES)
    with pytest.raises(TopologyError, match="expected axes from 1 to 2"):
        Layout(("batch", "channels", "time"), 3, 16, (2, 9))
    with pytest.raises(TopologyError, match="probe_sizes"):
        Layout(("batch", "channels", "time"), 1, 16, (2,))


class NotSaid(TimeHost):
    causal = None


class PicturesInOrder(TimeHost):
    topology = "cnn"


@pytest.mark.usefixtures("sequences")
@pytest.mark.parametrize(
    ("host", "named"),
    [(NotSaid, "causal, True or False"), (PicturesInOrder, "no order of positions")],
)
def test_causality_is_the_hosts_word(host: type[nn.Module], named: str) -> None:
    with pytest.raises(HostError, match=named):
        require_host(host())


def test_segments_without_widths_are_refused() -> None:
    with pytest.raises(HostError, match="expected at least one segment"):
        SegmentedHost([nn.Conv2d(3, 4, 1)], [], topology="cnn")
    with pytest.raises(TypeError, match=r"got the inputs \['mask'\]"):
        SegmentedHost([nn.Conv2d(3, 4, 1)], [4], topology="cnn")(torch.ones(1, 3, 2, 2), mask=1)
