"""The probe `eval-determinism`: in eval mode an output depends on its input alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.output_dependency import difference, largest
from esper_audit.probes.measure.parameters import redraw
from esper_audit.probes.measure.precision import ROUNDINGS, Precision, precision_of
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
    the state nor the random stream. A row of a batch gives the same output as in a batch of its own.

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
            module: nn.Module = subject.at(state).to(precision.dtype).eval()
            redraw(module, weights)
            yield from self._measure_draw(subject, module, precision, {"draw": weights})
        if self.parameters.rows_are_independent:
            yield Reading("rows-told", float(precision.is_fine_enough))

    def _measure_draw(
        self, subject: Module, module: nn.Module, precision: Precision, witness: dict[str, Plain]
    ) -> Iterator[Reading]:
        draw = Draw(subject.dims[0], batch=BATCH, dtype=precision.dtype)
        inputs, other = (subject.inputs(replace(draw, seed=seed)) for seed in (0, 1))
        before = _state(module)
        with torch.no_grad():
            seed_streams(0)
            stream = torch.get_rng_state()
            first = subject.call(module, inputs)
            moved = not torch.equal(stream, torch.get_rng_state())
            yield Reading("stream", float(moved), witness)
            seed_streams(0)
            subject.call(module, other)
            seed_streams(0)
            again = subject.call(module, inputs)
            yield Reading("remembers", difference(first, again), witness)
            seed_streams(1)
            yield Reading("random", difference(again, subject.call(module, inputs)), witness)
            changed = _changed(module, before)
            where = {**witness, "first": changed[0]} if changed else witness
            yield Reading("state", float(len(changed)), where)
            are_compared = self.parameters.rows_are_independent and precision.is_fine_enough
            for row in range(BATCH if are_compared else 0):
                alone = subject.call(module, inputs[row : row + 1])
                size = precision.unit * (largest(first) or 1.0)
                gap = difference(first[row : row + 1], alone) / size
                yield Reading("rows", gap, {**witness, "row": row})


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
