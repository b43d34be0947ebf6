"""The probe `causality`: the output at t does not depend on inputs after t."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain, Verdict
from esper_audit.probes.measure.output_dependency import (
    SequenceFunction,
    altered_difference,
    difference,
    later_gradients,
    live_parameters,
    prefix_difference,
)
from esper_audit.probes.measure.parameters import redraw
from esper_audit.probes.measure.precision import ROUNDINGS, precision_of
from esper_audit.probes.measure.readings import Limit, Limits, Reading, control, must_be_zero
from esper_audit.probes.measure.sequence_sweep import SweepResult, SweepSetting, boundary_positions
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Draw, Module
from esper_audit.rules.rule import Options

DRAWS = (0, 1, 2)  # birth, and two in which nothing hides behind a zero
# How far later inputs are altered, and whether gradients are recorded meanwhile: what saturates at
# one scale shows at the other, and a module may take another path for inference.
PATHS = ((1, False), (30, False), (30, True))
OTHER = 100  # the random seed of what takes the place of the later inputs


class CausalityParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`axis` is where time is; `block` the largest chunk or window the module works in."""

    axis: int = 1
    lengths: tuple[int, ...] = (8, 33)
    block: int = 0
    modes: tuple[str, ...] = ("eval", "train")


class Causality(Probe[Module]):
    """The output at t does not depend on inputs after t.

    What: at birth and with parameters drawn anew, in eval and in train mode, at several lengths and
    positions, three detectors, in float64 if the module takes it: the gradient of the outputs up to t
    at later inputs is exactly zero; other later inputs change nothing, bit for bit; leaving them out
    changes nothing but the rounding. And the same call twice gives the same answer.

    Why: a block that sees the future inside a causal host trains to copy the next token. The loss
    looks excellent, and generation does not work.

    Quiet: batch rows may mix. Masks are left alone wherever they are kept. BatchNorm in train mode
    does mix positions: promise eval only. A key-value cache is reset in `call`, or not promised.

    Tickets: deep dive 1.4
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P0
    takes = Module
    Parameters = CausalityParameters
    parameters: CausalityParameters
    limits: ClassVar[Limits] = {
        "remembers": must_be_zero("the same call twice gives two answers: it remembers the first"),
        "altered": must_be_zero("outputs up to a position change with inputs after it"),
        "prefix": Limit(
            "at most", ROUNDINGS, "outputs up to a position change with the length of the rest"
        ),
        "gradient": must_be_zero("outputs up to a position have a gradient at inputs after it"),
        "input-alive": control("no output depends on any input, so nothing was seen"),
        "parameters-dead": Limit(
            "at most",
            0.0,
            "parameters had no effect in any draw, so what they lead to was not seen",
            Verdict.INCONCLUSIVE,
        ),
        "prefixes": control("no prefix could be run, so dependence on length was not seen"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Sweep draws, modes and lengths; the controls are of the whole sweep."""
        seen = SweepResult()
        beyond = (self.parameters.block + 1,) if self.parameters.block else ()
        lengths = (*self.parameters.lengths, *beyond)
        first = Draw(subject.dims[0], length=lengths[0])
        for mode in self.parameters.modes:
            precision = precision_of(subject, state, first, training=mode == "train")
            for draw in DRAWS:
                module = subject.at(state, seed=draw).to(precision.dtype)
                redraw(module, draw)
                module.train(mode == "train")
                sight = SequenceFunction(subject, module, self.parameters.axis)
                seen.trainable |= {n for n, p in module.named_parameters() if p.requires_grad}
                for length in lengths:
                    yield from self._look(sight, SweepSetting(draw, mode, length, precision), seen)
        yield from seen.readings()

    def _look(
        self, sight: SequenceFunction, glance: SweepSetting, seen: SweepResult
    ) -> Iterator[Reading]:
        """Let every detector look at one sequence."""
        draws = (glance.drawn(sight.subject.dims[0], seed) for seed in (glance.draw, OTHER))
        sequence, other = map(sight.sequence, draws)
        with torch.no_grad():
            first, elsewhere, again = sight(sequence), sight(other), sight(sequence)
            is_random = not torch.equal(again, sight(sequence, stream=OTHER))
        yield Reading("remembers", difference(first, again), glance.witness)
        seen.inputs_matter |= not torch.equal(first, elsewhere)
        seen.live |= live_parameters(sight, sequence)
        boundaries = boundary_positions(glance.length)
        for at, later in later_gradients(sight, sequence, boundaries):
            yield Reading("gradient", later, {**glance.witness, "position": at})
        for scale, recording in PATHS if sequence.is_floating_point() else ((1, False), (1, True)):
            with torch.set_grad_enabled(recording):
                whole = sight(sequence) if recording else first
                for at in boundaries:
                    gap = altered_difference(sight, sequence, other * scale, at, whole)
                    where = {"position": at, "scale": scale, "gradients": recording}
                    yield Reading("altered", gap, {**glance.witness, **where})
        for at in () if is_random or not glance.precision.tells else boundaries:
            with torch.no_grad():
                change = prefix_difference(sight, sequence, at, first)
            if change is not None:
                seen.prefixes += 1
                roundings = change / glance.precision.unit
                yield Reading("prefix", roundings, {**glance.witness, "position": at})

    def reproducer(self, subject: Module, state: str, witness: Mapping[str, Plain]) -> str:
        """Return Python that alters, or cuts off, the later inputs of the witness's sequence."""
        if "position" not in witness:
            return super().reproducer(subject, state, witness)
        draw, length, at = witness["draw"], witness["length"], witness["position"]
        dtype, scale = f"torch.{witness['dtype']}", witness.get("scale", 1)
        axis = self.parameters.axis
        return (
            "import torch\n"
            "from esper_audit.subject import (\n"
            "    Draw, SequenceFunction, altered_difference, later_gradients, prefix_difference, redraw, subject_of,\n"
            ")\n\n"
            f"subject = subject_of({subject.source!r}, {subject.name!r})\n"
            f"module = subject.at({state!r}, seed={draw}).to({dtype})\n"
            f"redraw(module, {draw})\n"
            f"sight = SequenceFunction(subject, module.train({witness['mode'] == 'train'}), {axis})\n"
            f"x, other = (sight.sequence(Draw({subject.dims[0]}, length={length}, seed=seed, "
            f"dtype={dtype})) for seed in ({draw}, {OTHER}))\n"
            f"with torch.set_grad_enabled({witness.get('gradients', False)}):\n"
            "    whole = sight(x)\n"
            f"    altered = altered_difference(sight, x, other * {scale}, {at}, whole)\n"
            f"    print('altered', altered, 'prefix', prefix_difference(sight, x, {at}, whole))\n"
            f"print('gradient', *later_gradients(sight, x, [{at}]))\n"
        )
