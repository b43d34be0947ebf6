"""The probe `eval-determinism`: in eval mode an output depends on its input alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.dependency import difference, largest
from esper_audit.finding import Category, Severity
from esper_audit.measurement import Limit, Limits, Reading, none_of
from esper_audit.probe import Probe
from esper_audit.redraw import redraw
from esper_audit.rule import Options
from esper_audit.subject import Draw, Module
from esper_audit.verdict import Plain

BATCH = 3
DRAWS = (0, 1, 2)  # birth, and two in which nothing hides behind a zero
# Of float64: a product of another shape is summed in another order.
ROUNDING = 1e-11


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
        "random": none_of("the output depends on the random stream"),
        "remembers": none_of("the output depends on the call before"),
        "state": none_of("an evaluation changed the module's state"),
        "stream": none_of("an evaluation drew from the random stream"),
        "rows": Limit("at most", ROUNDING, "a row of a batch is not what it is alone"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Evaluate the same input in every company."""
        for draw in DRAWS:
            module: nn.Module = subject.at(state).double().eval()
            redraw(module, draw)
            yield from self._look(subject, module, {"draw": draw})

    def _look(
        self, subject: Module, module: nn.Module, witness: dict[str, Plain]
    ) -> Iterator[Reading]:
        inputs, other = (_inputs(subject, seed) for seed in (0, 1))
        before = _state(module)
        with torch.no_grad():
            torch.manual_seed(0)
            stream = torch.get_rng_state()
            first = subject.call(module, inputs)
            moved = not torch.equal(stream, torch.get_rng_state())
            yield Reading("stream", float(moved), witness)
            torch.manual_seed(0)
            subject.call(module, other)
            torch.manual_seed(0)
            again = subject.call(module, inputs)
            yield Reading("remembers", difference(first, again), witness)
            torch.manual_seed(1)
            yield Reading("random", difference(again, subject.call(module, inputs)), witness)
            changed = [n for n, t in _state(module).items() if not torch.equal(t, before[n])]
            where = {**witness, "first": changed[0]} if changed else witness
            yield Reading("state", float(len(changed)), where)
            for row in range(BATCH if self.parameters.rows_are_independent else 0):
                alone = subject.call(module, inputs[row : row + 1])
                size = largest(first) or 1.0
                gap = difference(first[row : row + 1], alone) / size
                yield Reading("rows", gap, {**witness, "row": row})


def _inputs(subject: Module, seed: int) -> Tensor:
    return subject.inputs(Draw(subject.dims[0], batch=BATCH, seed=seed, dtype=torch.float64))


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers, those that are not saved included."""
    return {n: t.clone() for n, t in (*module.named_parameters(), *module.named_buffers())}
