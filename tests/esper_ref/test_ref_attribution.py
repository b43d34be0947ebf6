"""What each of several seeds adds, alone and in pairs, is measured in one pass over the data."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import combinations

import pytest
import torch
from test_ref_baked import fossilize
from torch import Tensor, nn

from esper_ref import AlphaAlgorithm, CNNHost, MorphogeneticModel, SeedStage
from esper_ref.attribution import Attribution, attribute
from esper_ref.errors import MetricError
from esper_ref.evidence import evaluating

SLOTS = ("r0c0", "r0c1", "r0c2")


def with_three_seeds(algorithm: AlphaAlgorithm) -> MorphogeneticModel:
    torch.manual_seed(0)
    model = MorphogeneticModel(CNNHost(10, 3, 4, in_channels=1), slots=SLOTS)
    for slot_id, blueprint in zip(SLOTS, ("norm", "conv_light", "attention"), strict=True):
        fossilize(model, slot_id, blueprint, algorithm.value)
        slot = model.slot(slot_id)
        slot.state.stage = SeedStage.BLENDING
        slot.set_alpha(0.5)
    return model


def batches() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    return [(torch.randn(n, 1, 8, 8), torch.randint(0, 10, (n,))) for n in (5, 3)]


def negative_loss(outputs: Tensor, targets: Tensor) -> float:
    return -nn.functional.cross_entropy(outputs, targets, reduction="sum").item()


@pytest.mark.parametrize("algorithm", list(AlphaAlgorithm))
def test_it_is_what_separate_passes_measure(algorithm: AlphaAlgorithm) -> None:
    model, data = with_three_seeds(algorithm), batches()
    found = attribute(model, SLOTS, data, negative_loss)
    assert len(found.scores) == 1 + 3 + 3
    for silent, score in found.scores.items():
        with evaluating(model), ExitStack() as stack:
            for slot_id in silent:
                stack.enter_context(model.slot(slot_id).force_alpha(0.0))
            alone = sum(negative_loss(model(x), y) for x, y in data) / 8
        assert score == pytest.approx(alone, abs=1e-5)


def test_the_model_is_as_it_was() -> None:
    model = with_three_seeds(AlphaAlgorithm.ADD)
    before = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    extra = [model.slot(s).get_extra_state() for s in SLOTS]
    x = batches()[0][0]
    out = model(x)
    extra = [model.slot(s).get_extra_state() for s in SLOTS]
    attribute(model, SLOTS, batches(), negative_loss)
    assert [model.slot(s).get_extra_state() for s in SLOTS] == extra  # before the next forward
    assert torch.equal(model(x), out)
    assert model.training
    assert [model.slot(s).get_extra_state() for s in SLOTS] == extra
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


def test_redundant_seeds_have_an_interaction_and_independent_ones_none() -> None:
    a, b = SLOTS[:2]
    sets = [frozenset(), frozenset({a}), frozenset({b}), frozenset({a, b})]
    redundant = Attribution(dict(zip(sets, (80.0, 80.0, 80.0, 70.0), strict=True)))
    assert (redundant.contribution(a), redundant.interaction(a, b)) == (0.0, 10.0)
    independent = Attribution(dict(zip(sets, (80.0, 75.0, 77.0, 72.0), strict=True)))
    assert (independent.contribution(a), independent.interaction(a, b)) == (5.0, 0.0)


def test_pairs_are_all_pairs_of_the_slots_asked_for() -> None:
    model = with_three_seeds(AlphaAlgorithm.ADD)
    found = attribute(model, SLOTS[:2], batches(), negative_loss)
    assert set(found.scores) == {
        frozenset(chosen) for size in range(3) for chosen in combinations(SLOTS[:2], size)
    }


def test_nothing_to_measure_is_an_error() -> None:
    model = with_three_seeds(AlphaAlgorithm.ADD)
    with pytest.raises(MetricError, match="no samples"):
        attribute(model, SLOTS, [], negative_loss)
    with pytest.raises(MetricError, match="each once"):
        attribute(model, ("r0c0", "r0c0"), batches(), negative_loss)
