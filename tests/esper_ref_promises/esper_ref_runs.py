"""The promises of a model of esper_ref in training: checkpoint file, evidence, counterfactual."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from esper_ref_lives import (
    CHANNELS,
    MODEL_INPUTS,
    dormant_model,
    learned,
    model,
    ramping,
    slot_of,
    stages,
)
from torch import Tensor, nn

from esper_audit.subject import Checkpointed, Draw, Grown, Module, Subject, promise
from esper_ref import (
    AlphaAlgorithm,
    Counterfactual,
    MorphogeneticModel,
    SeedSlot,
    SeedStage,
    counterfactual_contribution,
    load_checkpoint,
    save_checkpoint,
)

ALL = "all"  # the one optimiser of a run
UNMEASURED = -7.0


class Run(nn.Module):
    """A model in training, whose output is that of the model followed by the evidence of its gates."""

    def __init__(self, model: MorphogeneticModel, topology: str) -> None:
        super().__init__()
        self.model, self.topology, self.epochs = model, topology, 0
        self.optimizer = self.new_optimizer()

    @property
    def slot(self) -> SeedSlot:
        return self.model.slot("r0c0")

    def new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)

    def forward(self, x: Tensor) -> Tensor:
        evidence = self.evidence()  # the evidence of the previous call, not of this one
        output: Tensor = self.model(x).flatten()
        return torch.cat([output, evidence.to(output.dtype)])

    def evidence(self) -> Tensor:
        state, metrics = self.slot.state, self.slot.state.metrics
        values = (
            state.epochs_in_stage,
            *(state.shape_probe.shape if state.shape_probe else (None,)),
            metrics.current_accuracy,
            metrics.best_accuracy,
            metrics.improvement_in_stage,
            metrics.blending_delta,
            metrics.seed_gradient_norm_ratio,
            metrics.seed_is_healthy,
            metrics.current_alpha,
            *metrics.contributions_in_stage,
            *(metrics.gate_statistics.to_dict().values() if metrics.gate_statistics else ()),
            self.slot.monitor.ratio(),
            self.slot.seeds_germinated,
            *self.slot.feature_shape,
            self.epochs,
        )
        return torch.tensor([UNMEASURED if s is None else float(s) for s in values])

    def epoch(self) -> None:
        """Train one step with an optimiser of its own, measure, and end the epoch."""
        x = MODEL_INPUTS[self.topology](Draw(CHANNELS, seed=self.epochs))
        self.model(x).square().mean().backward()
        if self.slot.is_active:
            self.model.record_gradients()
        self.optimizer.step()
        self.optimizer.zero_grad()
        metrics = self.slot.state.metrics
        metrics.record_accuracy(40.0 + self.epochs)
        metrics.record_counterfactual(counterfactual_contribution(self.model, self.slot, x, metric))
        self.epochs += 1
        if self.slot.state.stage is not SeedStage.DORMANT:
            self.slot.step_epoch()
        learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        if len(learning) != len(list(self.model.parameters())):  # the seed was culled
            self.optimizer = self.new_optimizer()


def metric(grown: nn.Module, x: Tensor) -> float:
    """Return an integral value, so that differences are exact."""
    return float((1000.0 * grown(x)).round().sum())


def _run(topology: str, algorithm: AlphaAlgorithm, dim: int) -> Run:
    return Run(model(topology, algorithm, dim), topology)


def _fresh_run(topology: str, dim: int) -> Run:
    return Run(dormant_model(topology, dim), topology)


class PlainRun(Run):
    """A run with an optimiser that has no state."""

    def new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=0.01)


def _plain_run(topology: str, dim: int) -> PlainRun:
    return PlainRun(model(topology, AlphaAlgorithm.GATE, dim), topology)


def _fresh_plain_run(topology: str, dim: int) -> PlainRun:
    return PlainRun(dormant_model(topology, dim), topology)


def _saved(run: Run) -> object:
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        save_checkpoint(file.name, run.model, optimizers={ALL: run.optimizer}, epoch=run.epochs)
        return torch.load(file.name, weights_only=True)


def _resumed(run: Run, saved: object) -> None:
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        torch.save(saved, file)
        file.flush()
        checkpoint = load_checkpoint(file.name, run.model)
    run.optimizer = run.new_optimizer()
    checkpoint.restore_optimizer(ALL, run.optimizer)
    run.epochs = checkpoint.epoch


def runs() -> Iterator[Subject]:
    for topology, inputs in MODEL_INPUTS.items():
        run = Checkpointed(
            name=f"{topology}/run",
            build=partial(_run, topology, AlphaAlgorithm.GATE),
            fresh=partial(_fresh_run, topology),
            inputs=inputs,
            dims=(CHANNELS,),
            states={
                **stages(*(s for s in SeedStage if s is not SeedStage.DORMANT)),
                "ramping": ramping,
            },
            advance=Run.epoch,
            save=_saved,
            load=_resumed,
            promises=[promise("checkpoint-round-trip")],
        )
        yield run
        # One topology is enough for the slow mutations, since both have the same entries, and the state
        # of an optimiser is open.
        if topology == "cnn":
            strict = promise(
                "checkpoint-round-trip",
                strict=True,
                open=("optimizers", "blueprint_options"),
                version="version",
            )
            states = stages(SeedStage.BLENDING)
            yield replace(
                run,
                name=f"{run.name}-strictly",
                build=partial(_plain_run, topology),
                fresh=partial(_fresh_plain_run, topology),
                states=states,
                promises=[strict],
            )
        yield Checkpointed(
            name=f"{topology}/model-in-double",
            build=lambda dim, topology=topology: model(
                topology, AlphaAlgorithm.GATE, dim, torch.float64
            ),
            fresh=lambda dim, topology=topology: dormant_model(topology, dim).double(),
            inputs=_in_double(topology),
            dims=(CHANNELS,),
            states=stages(SeedStage.BLENDING),
            promises=[promise("checkpoint-round-trip")],
        )
        yield from _counterfactuals(topology)


def _in_double(topology: str) -> Any:
    inputs = MODEL_INPUTS[topology]
    return inputs if topology == "transformer" else lambda draw: inputs(draw).double()


def _counterfactuals(topology: str) -> Iterator[Subject]:
    """Yield models under measurement, which must leave the model unchanged and give a known result."""
    yield Grown(
        name=f"{topology}/grown-and-measured",
        build=partial(model, topology, AlphaAlgorithm.ADD),
        inputs=MODEL_INPUTS[topology],
        dims=(CHANNELS,),
        states=stages(SeedStage.TRAINING),
        host=lambda grown: grown.host,
        call=_measured_first,
        alone=lambda bare, x: bare(x),
        seed_parameters=lambda grown: list(grown.get_seed_parameters()),
        promises=[promise("host-untouched")],
    )
    yield Grown(
        name=f"{topology}/grown-without-its-contribution",
        build=partial(model, topology, AlphaAlgorithm.ADD),
        inputs=MODEL_INPUTS[topology],
        dims=(CHANNELS,),
        states={"learned": learned},
        host=lambda grown: grown.host,
        call=lambda grown, x: _as_output(grown, _without_contribution(grown, x)),
        alone=lambda bare, x: _as_output(bare, metric(bare.eval(), x)),
        seed_parameters=lambda grown: list(grown.get_seed_parameters()),
        promises=[promise("host-untouched")],
    )
    yield Module(
        name=f"{topology}/contribution",
        build=partial(model, topology, AlphaAlgorithm.ADD),
        inputs=MODEL_INPUTS[topology],
        call=lambda grown, x: torch.tensor(
            [counterfactual_contribution(grown, slot_of(grown), x, metric)]
        ),
        dims=(CHANNELS,),
        states=stages(SeedStage.BLENDING),
        promises=[promise("eval-determinism", rows_are_independent=False)],
    )
    yield Module(
        name=f"{topology}/model-that-loads",
        build=partial(model, topology, AlphaAlgorithm.ADD),
        inputs=MODEL_INPUTS[topology],
        call=_loading_first,
        dims=(CHANNELS,),
        states=stages(SeedStage.BLENDING),
        promises=[promise("eval-determinism")],
    )


def _loading_first(grown: Any, x: Tensor) -> Tensor:
    grown.load_state_dict(grown.state_dict())
    output: Tensor = grown(x)
    return output


def _measured_first(grown: Any, x: Tensor) -> Tensor:
    counterfactual_contribution(grown, slot_of(grown), x, metric)
    output: Tensor = grown(x)
    return output


def _without_contribution(grown: Any, x: Tensor) -> float:
    """Return the metric minus the seed's reported contribution, which is the metric of the host."""
    measured = Counterfactual.measure(grown, slot_of(grown), x, metric)
    return metric(grown.eval(), x) - measured.contribution


def _as_output(module: nn.Module, value: float) -> Tensor:
    """Return a number as an output that requires gradients, all of which are zero."""
    return value + 0.0 * torch.stack([p.sum() for p in module.parameters()]).sum()
