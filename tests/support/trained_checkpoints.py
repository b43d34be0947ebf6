"""A trained model at any stage, its checkpoint, and the training step that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from esper_ref import (
    AlphaAlgorithm,
    CNNHost,
    MorphogeneticModel,
    SeedStage,
    TransformerHost,
    save_checkpoint,
)
from support.slots_in_stages import inputs, lenient_rules, walk_to

if TYPE_CHECKING:
    from pathlib import Path

SLOT = "r0c0"
SEEDS = {"cnn": "conv_heavy", "transformer": "attention"}


def build(topology: str, random_seed: int) -> MorphogeneticModel:
    """A model as a new process would build it: the same call, other random weights."""
    torch.manual_seed(random_seed)
    host: nn.Module = CNNHost(5, 2, 8, in_channels=1)
    if topology == "transformer":
        host = TransformerHost(
            11, n_embd=16, n_head=2, n_layer=2, block_size=40, dropout=0.1, num_segments=2
        )
    return MorphogeneticModel(host, slots=["r0c0", "r0c1"], rules=lenient_rules())


def optimizers_of(model: MorphogeneticModel) -> dict[str, Optimizer]:
    optimizers: dict[str, Optimizer] = {
        "host": SGD(model.get_host_parameters(), lr=0.1, momentum=0.9)
    }
    parameters = list(model.get_seed_parameters())
    return optimizers | ({"seed": AdamW(parameters, lr=0.01)} if parameters else {})


def training_step(model: MorphogeneticModel, optimizers: dict[str, Optimizer], x: Tensor) -> Tensor:
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    out: Tensor = model(x)
    out.square().mean().backward()
    model.record_gradients()
    for optimizer in optimizers.values():
        optimizer.step()
    return out


def make_trained(
    topology: str, stage: SeedStage, algorithm: AlphaAlgorithm
) -> tuple[MorphogeneticModel, dict[str, Optimizer]]:
    model = build(topology, random_seed=1)
    if stage is not SeedStage.DORMANT:
        options: dict[str, float] = {"n_head": 2, "dropout": 0.2}
        model.germinate_seed(
            SEEDS[topology],
            slot=SLOT,
            alpha_algorithm=algorithm,
            blend_algorithm_id="linear",
            blueprint_options=options if topology == "transformer" else None,
        )
        walk_to(model.slot(SLOT), stage)
    optimizers = optimizers_of(model)
    for _ in range(2):
        training_step(model, optimizers, inputs(topology))
    return model, optimizers


def plain(state: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in state.items()}


def saved(tmp_path: Path, stage: SeedStage = SeedStage.BLENDING) -> tuple[Path, MorphogeneticModel]:
    model, optimizers = make_trained("cnn", stage, AlphaAlgorithm.GATE)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, model, optimizers=optimizers, epoch=1)
    return path, model
