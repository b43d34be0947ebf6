"""The probe `eval-determinism`: in eval mode an output depends on its input alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.batch_axis import batch_axis
from esper_audit.probes.measure.dependence.output_dependency import difference, largest
from esper_audit.probes.measure.execution.precision import ROUNDINGS, Precision, precision_of
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, control, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module
from esper_audit.rules.rule import Options

BATCH = 3
DRAWS = (0, 1, 2)  # birth, and two draws without zeros that could hide an effect


class EvalDeterminismParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rows_are_independent`: the output of a row does not depend on the other rows of the batch."""

    rows_are_independent: bool = True


class EvalDeterminism(Probe[Module]):
    """In eval mode an output depends on its input alone.

    What: the probe runs at birth and with parameters drawn anew. The same input gives the same output in
    every bit after a call with another input, and under another random seed. An evaluation changes neither
    the state nor the random stream nor its input. A row of a batch gives the same output as in a batch of
    its own, along the axis that follows the size of the batch.

    Why: an evaluation that updates statistics, consumes the random stream of training, or mixes rows makes
    a comparison of models depend on chance. A counterfactual subtracts the outputs of two runs.

    Quiet: promise `rows_are_independent=False` for a module that mixes the batch on purpose.

    Tickets: real code
    """

    contract = "eval-determinism"
    category = Category.CORRECTNESS
    severity = Severity.P2
    takes = Module
    Parameters = EvalDeterminismParameters
    parameters: EvalDeterminismParameters
    limits: ClassVar[Limits] = {
        "random": must_be_zero("the output depends on the random stream"),
        "remembers": must_be_zero("the output depends on the previous call"),
        "state": must_be_zero("an evaluation changed the module's state"),
        "overwrites": must_be_zero("an evaluation changed its input"),
        "stream": must_be_zero("an evaluation drew from the random stream"),
        "rows": Limit(
            "at most", ROUNDINGS, "the output of a row depends on the other rows of the batch"
        ),
        "rows-told": control("the module rounds too coarsely to compare rows"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Evaluate the same input after other calls, under other seeds and in other batches."""
        draw = Draw(subject.dims[0], batch=BATCH)
        precision = precision_of(subject, state, draw, training=False)
        for weights in DRAWS:
            evaluation = _Evaluation(subject, state, precision, weights)
            yield from evaluation.repeated()
            if self.parameters.rows_are_independent and precision.is_fine_enough:
                yield from evaluation.rows()
        if self.parameters.rows_are_independent:
            yield Reading("rows-told", float(precision.is_fine_enough))


class _Evaluation:
    """Calls of a module in eval mode, with parameters of one draw, without gradients."""

    def __init__(self, subject: Module, state: str, precision: Precision, weights: int) -> None:
        self.subject, self.state, self.precision, self.weights = subject, state, precision, weights
        draw = Draw(subject.dims[0], batch=BATCH, dtype=precision.dtype)
        self.inputs, self.other = (subject.inputs(replace(draw, seed=seed)) for seed in (0, 1))
        self.witness: dict[str, Plain] = {"draw": weights}
        self.module = self.built()
        self.is_repeatable = False

    def built(self) -> nn.Module:
        """Return a new module, equal to the first one before its first call."""
        module: nn.Module = self.subject.at(self.state).to(self.precision.dtype).eval()
        redraw(module, self.weights)
        return module

    def call(self, module: nn.Module, inputs: Tensor, seed: int = 0) -> Tensor:
        """Return a copy of the output under a random seed, which leaves these inputs as they are."""
        seed_streams(seed)
        with torch.no_grad():
            return self.subject.call(module, inputs.clone()).clone()

    def repeated(self) -> Iterator[Reading]:
        """Call again, and compare under another random seed what no earlier call can have moved."""
        before = _state(self.module)
        given = self.inputs.clone()
        seed_streams(0)
        stream = torch.get_rng_state()
        with torch.no_grad():
            first = self.subject.call(self.module, given).clone()
        moved = not torch.equal(stream, torch.get_rng_state())
        yield Reading("stream", float(moved), self.witness)
        yield Reading("overwrites", difference(given, self.inputs), self.witness)
        changed = _changed(self.module, before)
        second = self.call(self.built() if changed else self.module, self.inputs, 1)
        gap = difference(first, second)
        if gap and not changed and not difference(first, self.call(self.built(), self.inputs, 1)):
            yield Reading("remembers", gap, self.witness)
            return
        yield Reading("random", gap, self.witness)
        if not gap or changed:
            self.call(self.module, self.other)
            again = difference(first, self.call(self.module, self.inputs))
            changed = _changed(self.module, before)
            self.is_repeatable = not (gap or again or changed)
            yield Reading("remembers", again, self.witness)
        where = {**self.witness, "first": changed[0]} if changed else self.witness
        yield Reading("state", float(len(changed)), where)

    def rows(self) -> Iterator[Reading]:
        """Compare each row with its output in a batch of its own, if calls repeat at all."""
        axis = batch_axis(self.subject, self.precision.dtype)
        if not self.is_repeatable or axis is None:
            return
        first = self.call(self.module, self.inputs)
        size = self.precision.unit * (largest(first) or 1.0)
        for row in range(BATCH):
            alone = self.call(self.module, self.inputs.narrow(axis, row, 1))
            followed = [a for a, n in enumerate(alone.shape) if n != first.shape[a]]
            if len(followed) == 1:
                gap = difference(first.narrow(followed[0], row, 1), alone) / size
                yield Reading("rows", gap, {**self.witness, "row": row})


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers, including non-persistent ones."""
    return {n: t.clone() for n, t in (*module.named_parameters(), *module.named_buffers())}


def _changed(module: nn.Module, before: dict[str, Tensor]) -> list[str]:
    """Return the names of changed tensors.

    A new non-persistent buffer, such as a cache, is no change.
    """
    after, saved = _state(module), module.state_dict()
    known = [n for n in before if n not in after or not torch.equal(before[n], after[n])]
    return known + [n for n in after if n in saved and n not in before]
