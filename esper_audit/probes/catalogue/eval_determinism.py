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
DRAWS = (0, 1, 2)  # birth, and two in which nothing hides behind a zero


class EvalDeterminismParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rows_are_independent`: a row of a batch gives what it gives alone."""

    rows_are_independent: bool = True


class EvalDeterminism(Probe[Module]):
    """In eval mode an output depends on its input alone.

    What: at birth and with parameters drawn anew, the same input twice, with another input between, and
    from two places of the random stream, gives the same bits; neither the state dict nor the random
    stream is touched; and a row of a batch gives what it gives by itself.

    Why: an evaluation that moves statistics, draws from the stream that training draws from, or mixes
    the rows of a batch compares models by accident. Counterfactuals run the model twice and subtract.

    Quiet: a module that mixes the batch on purpose says so.

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
        "remembers": must_be_zero("the output depends on the call before"),
        "state": must_be_zero("an evaluation changed the module's state"),
        "stream": must_be_zero("an evaluation drew from the random stream"),
        "rows": Limit("at most", ROUNDINGS, "a row of a batch is not what it is alone"),
        "rows-told": control(
            "it rounds so coarsely that a row could not be told from its rounding"
        ),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Evaluate the same input in every company."""
        draw = Draw(subject.dims[0], batch=BATCH)
        precision = precision_of(subject, state, draw, training=False)
        for weights in DRAWS:
            module: nn.Module = subject.at(state).to(precision.dtype).eval()
            redraw(module, weights)
            yield from self._look(subject, module, precision, {"draw": weights})
        if self.parameters.rows_are_independent:
            yield Reading("rows-told", float(precision.tells))

    def _look(
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
            are_told = self.parameters.rows_are_independent and precision.tells
            for row in range(BATCH if are_told else 0):
                alone = subject.call(module, inputs[row : row + 1])
                size = precision.unit * (largest(first) or 1.0)
                gap = difference(first[row : row + 1], alone) / size
                yield Reading("rows", gap, {**witness, "row": row})


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers, those that are not saved included."""
    return {n: t.clone() for n, t in (*module.named_parameters(), *module.named_buffers())}


def _changed(module: nn.Module, before: dict[str, Tensor]) -> list[str]:
    """Return what is another than before: a cache that came to be, and is not saved, is no state."""
    after, saved = _state(module), module.state_dict()
    known = [n for n in before if n not in after or not torch.equal(before[n], after[n])]
    return known + [n for n in after if n in saved and n not in before]
