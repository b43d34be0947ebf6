"""The forward never waits for the device, in no stage and under no algorithm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.slots_in_stages import ALGORITHMS, TOPOLOGIES, inputs, make_model, walk_to
from torch.utils._python_dispatch import TorchDispatchMode

from esper_ref import AlphaAlgorithm, SeedStage

# Slow: every stage of every algorithm is run forward and backward.
pytestmark = pytest.mark.slow

# Operators that hand a value, or a shape that depends on one, to Python.
WAITING = (
    "_local_scalar_dense",
    "item",
    "nonzero",
    "equal",
    "is_nonzero",
    "masked_select",
    "unique",
)


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Counts the operators for which a host would wait for its device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in WAITING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def test_the_count_below_sees_an_item() -> None:
    with Waits() as waits:
        torch.ones(()).item()
        bool(torch.ones(2).sum() > 1.0)
    assert waits.found == ["_local_scalar_dense", "_local_scalar_dense"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("stage", SeedStage)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_no_forward_and_no_backward_waits(
    topology: str, stage: SeedStage, algorithm: AlphaAlgorithm
) -> None:
    model, x = make_model(topology), inputs(topology)
    if stage is not SeedStage.DORMANT:
        blueprint = "conv_light" if topology == "cnn" else "attention"
        model.germinate_seed(
            blueprint, slot="r0c0", alpha_algorithm=algorithm, blend_algorithm_id="linear"
        )
        walk_to(model.slot("r0c0"), stage)
    with Waits() as waits:
        model(x).sum().backward()
        model.record_gradients()
    assert waits.found == []
