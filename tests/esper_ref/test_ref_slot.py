"""The slot: what the host feels in each stage, and what the seed learns."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from support.slots_in_stages import (
    ACTIVE,
    ALGORITHMS,
    BLENDED,
    BLUEPRINTS,
    LEARNING,
    LIVELY,
    TOPOLOGIES,
    features,
    give_evidence,
    inputs,
    make_model,
    make_slot,
    redraw,
    walk_to,
)
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    MorphogeneticModel,
    SeedSlot,
    SeedStage,
)
from esper_ref.errors import AlphaError, BlueprintError, TopologyError

SILENT = tuple(s for s in SeedStage if s not in (*BLENDED, SeedStage.TRAINING))


@pytest.mark.parametrize("stage", SILENT)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_silent_slot_returns_the_same_tensor_object(topology: str, stage: SeedStage) -> None:
    slot = make_slot(topology, None if stage is SeedStage.DORMANT else LIVELY[topology])
    redraw(slot.parameters())
    walk_to(slot, stage)
    h = features(topology)
    assert slot(h) is h


@pytest.mark.parametrize("stage", SeedStage)
def test_alpha_is_what_the_stage_says(stage: SeedStage) -> None:
    slot = make_slot("cnn", None if stage is SeedStage.DORMANT else "norm")
    walk_to(slot, stage)
    wanted = 0.5 if stage is SeedStage.BLENDING else float(stage in BLENDED)
    assert slot.alpha.item() == wanted
    assert slot.state.metrics.current_alpha == wanted


Train = Callable[[MorphogeneticModel, Tensor], None]


def train(model: MorphogeneticModel, x: Tensor) -> None:
    """Three steps of the host's own optimiser; what the seed's would do is nothing to the host."""
    optimizer = torch.optim.SGD(model.get_host_parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def host_state(model: MorphogeneticModel) -> dict[str, Tensor]:
    state = model.get_submodule("host").state_dict()
    gradients = {f"{name}.grad": p.grad for name, p in model.named_parameters() if "host" in name}
    return state | {name: g for name, g in gradients.items() if g is not None}


def assert_host_does_not_notice(
    model: MorphogeneticModel, alone: MorphogeneticModel, x: Tensor
) -> None:
    """Outputs, gradients, parameters and running statistics are bit for bit those without seeds."""
    assert torch.equal(model(x), alone(x))
    train(model, x)
    train(alone, x)
    with_seed, without = host_state(model), host_state(alone)
    assert set(with_seed) == set(without)
    assert [name for name in without if not torch.equal(with_seed[name], without[name])] == []


@pytest.mark.parametrize(("topology", "blueprint"), BLUEPRINTS)
def test_a_training_slot_leaves_the_output_alone_and_the_hosts_learning_too(
    topology: str, blueprint: str
) -> None:
    model = make_model(topology)
    alone = copy.deepcopy(model)
    for slot_id in model.route:
        model.germinate_seed(blueprint, slot=slot_id)
        walk_to(model.slot(slot_id), SeedStage.TRAINING)
    redraw(model.get_seed_parameters())
    assert_host_does_not_notice(model, alone, inputs(topology))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_training_slot_leaves_the_output_alone_under_autocast_and_in_channels_last(
    topology: str,
) -> None:
    model, x = make_model(topology), inputs(topology)
    if topology == "cnn":
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    alone = copy.deepcopy(model)
    model.germinate_seed(LIVELY[topology], slot="r0c0")
    walk_to(model.slot("r0c0"), SeedStage.TRAINING)
    redraw(model.get_seed_parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_host_does_not_notice(model, alone, x)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_test_above_sees_a_seed_that_is_fed_attached_features(topology: str) -> None:
    model = make_model(topology)
    alone = copy.deepcopy(model)
    model.germinate_seed(LIVELY[topology], slot="r0c1")
    walk_to(model.slot("r0c1"), SeedStage.TRAINING)
    redraw(model.get_seed_parameters())
    model.slot("r0c1").isolated = False
    with pytest.raises(AssertionError):
        assert_host_does_not_notice(model, alone, inputs(topology))


@pytest.mark.parametrize(("topology", "blueprint"), LEARNING)
def test_a_training_seed_gets_the_gradient_it_would_get_at_full_blend(
    topology: str, blueprint: str
) -> None:
    slot = make_slot(topology, blueprint)
    redraw(slot.parameters())
    walk_to(slot, SeedStage.TRAINING)
    h = features(topology)
    cotangent = torch.randn_like(h)
    (slot(h) * cotangent).sum().backward()
    found = [p.grad for p in slot.parameters()]
    slot.zero_grad()
    (slot.get_submodule("seed")(h) * cotangent).sum().backward()
    for got, parameter in zip(found, slot.parameters(), strict=True):
        assert got is not None
        assert parameter.grad is not None
        assert torch.equal(got, parameter.grad)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_blending_begins_at_the_host_exactly_even_with_a_grown_seed(
    topology: str, algorithm: AlphaAlgorithm
) -> None:
    slot = make_slot(topology, LIVELY[topology], algorithm=algorithm)
    redraw(slot.parameters())
    walk_to(slot, SeedStage.TRAINING)
    give_evidence(slot)
    slot.step_epoch()
    assert slot.state.stage is SeedStage.BLENDING
    h = features(topology)
    assert torch.equal(slot(h), h)


def test_a_fully_blended_seed_is_all_there_is_under_add() -> None:
    slot = make_slot("cnn", "conv_light")
    redraw(slot.parameters())
    walk_to(slot, SeedStage.SHADOWING)
    h = features("cnn")
    assert torch.equal(slot(h), slot.get_submodule("seed")(h))


@pytest.mark.parametrize("stage", ACTIVE)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_slot_can_train_twice_in_every_stage_and_keeps_dtype_and_layout(
    topology: str, algorithm: AlphaAlgorithm, stage: SeedStage
) -> None:
    slot = make_slot(topology, LIVELY[topology], algorithm=algorithm)
    redraw(slot.parameters())
    walk_to(slot, stage)
    h = features(topology)
    if topology == "cnn":
        h = h.to(memory_format=torch.channels_last)
    for _ in range(2):  # a graph kept from the first step would raise in the second
        leaf = h.clone().requires_grad_()
        out = slot(leaf)
        assert out.shape == h.shape
        assert out.stride() == h.stride()
        out.square().mean().backward()
    for autocast in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=autocast):
            assert slot(h).dtype is torch.float32
            assert slot(h.to(autocast)).dtype is autocast


@pytest.mark.parametrize("stage", ACTIVE)
def test_a_slot_moved_to_another_dtype_goes_on_in_it(stage: SeedStage) -> None:
    slot = make_slot("cnn", "conv_light")
    walk_to(slot, stage)
    slot.double()
    assert slot(features("cnn").double()).dtype is torch.float64
    assert slot.alpha.dtype is torch.float64
    if stage < SeedStage.FOSSILIZED:
        give_evidence(slot)
        slot.step_epoch()
        assert slot(features("cnn").double()).dtype is torch.float64


def test_a_seed_takes_the_dtype_of_its_host() -> None:
    model = make_model("cnn").double()
    model.germinate_seed("conv_light", slot="r0c0")
    assert {p.dtype for p in model.get_seed_parameters()} == {torch.float64}
    slot = make_slot("cnn")
    slot.germinate("norm", None, nn.Linear(2, 2).bfloat16())
    assert {p.dtype for p in slot.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("topology", "shape"),
    [("cnn", (2, 7, 4, 4)), ("cnn", (2, 8, 4)), ("transformer", (2, 8, 5)), ("cnn", (8, 4, 4))],
)
def test_features_of_another_width_or_rank_are_refused_not_broadcast(
    topology: str, shape: tuple[int, ...]
) -> None:
    slot = make_slot(topology, "norm")
    walk_to(slot, SeedStage.TRAINING)
    with pytest.raises(TopologyError, match="slot r0c0: got features of shape"):
        slot(torch.randn(shape))


def germinating(**arguments: object) -> Callable[[SeedSlot], object]:
    return lambda slot: slot.germinate(**arguments)


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (germinating(blueprint_id="lora"), BlueprintError),
        (germinating(blueprint_id="norm", blueprint_options={"n_head": 2}), TypeError),
        (germinating(blueprint_id="norm", blend_algorithm_id="wavy"), ValueError),
        (germinating(blueprint_id="norm", alpha_algorithm="divide"), ValueError),
        (germinating(blueprint_id="norm", blend_epochs=-1), AlphaError),
    ],
)
def test_a_germination_that_fails_leaves_the_slot_as_it_was(
    attempt: Callable[[SeedSlot], object], error: type[Exception]
) -> None:
    slot = make_slot("cnn")
    before = slot.get_extra_state()
    with pytest.raises(error):
        attempt(slot)
    assert slot.get_extra_state() == before
    assert slot.seed is None
    assert slot.germinate("norm").passed


def test_seeds_are_named_after_slot_blueprint_and_turn_unless_they_have_a_name() -> None:
    slot = make_slot("cnn", "norm")
    assert slot.state.seed_id == "r0c0-norm-0"
    slot.cull("for a test")
    for _ in range(6):
        slot.step_epoch()
    slot.germinate("norm", "rosebud")
    assert slot.state.seed_id == "rosebud"
    assert slot.seeds_germinated == 2


@pytest.mark.parametrize("stage", SeedStage)
def test_a_slot_can_be_copied_and_pickled_in_every_stage(stage: SeedStage) -> None:
    slot = make_slot(
        "cnn", None if stage is SeedStage.DORMANT else "norm", algorithm=AlphaAlgorithm.GATE
    )
    walk_to(slot, stage)
    h = features("cnn")
    out = slot(h)
    for other in (copy.deepcopy(slot), pickle.loads(pickle.dumps(slot))):
        assert torch.equal(other(h), out)
        assert other.get_extra_state() == slot.get_extra_state()
        if slot.is_active:
            assert other.seed is not slot.seed
