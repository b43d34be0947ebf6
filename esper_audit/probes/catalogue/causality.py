"""The probe `causality`: the output at t does not depend on inputs after t."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain, Verdict
from esper_audit.probes.measure.dependence.causal_positions import CausalPositions
from esper_audit.probes.measure.dependence.output_dependency import (
    SequenceFunction,
    difference,
    prefix_difference,
)
from esper_audit.probes.measure.dependence.sequence_sweep import (
    SweepResult,
    SweepSetting,
    boundary_positions,
)
from esper_audit.probes.measure.execution.precision import ROUNDINGS, precision_of
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, control, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Draw, Module
from esper_audit.rules.rule import Options

DRAWS = (0, 1, 2)  # birth, and two draws without zeros that could hide an effect
# (scale of the altered inputs, whether gradients are recorded): an effect that saturates at one scale is
# visible at the other, and a module may take another path for inference.
PATHS = ((1, False), (30, False), (30, True))
OTHER = 100  # the random seed of the inputs that replace the later ones


class CausalityParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`axis` is the time axis.

    `block` is the largest chunk or window of the module, in positions.
    """

    axis: int = 1
    lengths: tuple[int, ...] = (8, 33)
    block: int = 0
    modes: tuple[str, ...] = ("eval", "train")


class Causality(Probe[Module]):
    """The output at t does not depend on inputs after t.

    What: the probe runs at birth and with parameters drawn anew, in eval and train mode, at several lengths
    and positions, in float64 if the module takes it. The gradient of the outputs up to t at later inputs
    must be exactly zero. Other later inputs must not change these outputs in any bit. Without the later
    inputs the outputs must be equal except for rounding. Two identical calls must give equal outputs.

    Why: a block with access to future positions in a causal host learns to copy the next token. The loss
    is excellent and generation does not work.

    Quiet: rows of a batch may mix. Masks are not drawn anew. BatchNorm in train mode mixes positions, so
    promise `modes=("eval",)` for it. A module with a key-value cache must reset the cache in `call`.

    Tickets: deep dive 1.4
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P0
    takes = Module
    Parameters = CausalityParameters
    parameters: CausalityParameters
    limits: ClassVar[Limits] = {
        "remembers": must_be_zero("an identical second call gives another output"),
        "altered": must_be_zero("outputs up to a position change with inputs after it"),
        "prefix": Limit(
            "at most", ROUNDINGS, "outputs up to a position change with the length of the rest"
        ),
        "gradient": must_be_zero("outputs up to a position have a gradient at inputs after it"),
        "input-alive": control("no output depends on any input, so the probe measured nothing"),
        "parameters-dead": Limit(
            "at most",
            0.0,
            "parameters had no effect in any draw, so the paths behind them were not measured",
            Verdict.INCONCLUSIVE,
        ),
        "prefixes": control("no prefix could be run, so dependence on the length was not measured"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Sweep draws, modes and lengths.

        The controls apply to the whole sweep.
        """
        controls = SweepResult()
        beyond = (self.parameters.block + 1,) if self.parameters.block else ()
        lengths = (*self.parameters.lengths, *beyond)
        first = Draw(subject.dims[0], length=lengths[0])
        for mode in self.parameters.modes:
            precision = precision_of(subject, state, first, training=mode == "train")
            for draw in DRAWS:
                module = subject.at(state, seed=draw).to(precision.dtype)
                redraw(module, draw)
                module.train(mode == "train")
                function = SequenceFunction(subject, module, self.parameters.axis)
                controls.trainable |= {n for n, p in module.named_parameters() if p.requires_grad}
                for length in lengths:
                    setting = SweepSetting(draw, mode, length, precision)
                    yield from self._measure(function, setting, controls)
        yield from controls.readings()

    def _measure(
        self, function: SequenceFunction, setting: SweepSetting, controls: SweepResult
    ) -> Iterator[Reading]:
        """Yield the readings of every detector at one setting."""
        draws = (setting.draw_for(function.subject.dims[0], seed) for seed in (setting.draw, OTHER))
        sequence, other = map(function.sequence, draws)
        with torch.no_grad():
            first, elsewhere, again = function(sequence), function(other), function(sequence)
            is_random = not torch.equal(again, function(sequence, stream=OTHER))
        remembered = difference(first, again)
        yield Reading("remembers", remembered, setting.witness)
        controls.inputs_matter |= not torch.equal(first, elsewhere)
        controls.look_for_live_parameters(function, sequence)
        boundaries = boundary_positions(setting.length)
        # What remembers its last call may not take batches of different sizes in a row.
        positions = CausalPositions(function, sequence, boundaries, is_stacked=not remembered)
        for where, later in positions.later_gradients():
            yield Reading("gradient", later, {**setting.witness, **where})
        for scale, recording in PATHS if sequence.is_floating_point() else ((1, False), (1, True)):
            path: dict[str, Plain] = {"scale": scale, "gradients": recording}
            with torch.set_grad_enabled(recording):
                output = None if recording else first
                for where, gap in positions.altered_differences(other * scale, output):
                    yield Reading("altered", gap, {**setting.witness, **where, **path})
        for at in () if is_random or not setting.precision.is_fine_enough else boundaries:
            with torch.no_grad():
                change = prefix_difference(function, sequence, at, first)
            if change is not None:
                controls.prefixes += 1
                roundings = change / setting.precision.unit
                yield Reading("prefix", roundings, {**setting.witness, "position": at})

    def reproducer(self, subject: Module, state: str, witness: Mapping[str, Plain]) -> str:
        """Return a program that alters, and cuts off, the later inputs of the witness's sequence."""
        if "position" not in witness:
            return super().reproducer(subject, state, witness)
        draw, length, at = witness["draw"], witness["length"], witness["position"]
        dtype, scale = f"torch.{witness['dtype']}", witness.get("scale", 1)
        return (
            "import torch\n"
            "from esper_audit.subject import (\n"
            "    Draw, SequenceFunction, altered_difference, later_gradients, prefix_difference, redraw, subject_of,\n"
            ")\n\n"
            f"subject = subject_of({subject.source!r}, {subject.name!r})\n"
            f"module = subject.at({state!r}, seed={draw}).to({dtype})\n"
            f"redraw(module, {draw})\n"
            f"module.train({witness['mode'] == 'train'})\n"
            f"function = SequenceFunction(subject, module, {self.parameters.axis})\n"
            f"x, other = (function.sequence(Draw({subject.dims[0]}, length={length}, seed=seed, "
            f"dtype={dtype})) for seed in ({draw}, {OTHER}))\n"
            f"with torch.set_grad_enabled({witness.get('gradients', False)}):\n"
            "    output = function(x)\n"
            f"    altered = altered_difference(function, x, other * {scale}, {at}, output)\n"
            f"    print('altered', altered, 'prefix', prefix_difference(function, x, {at}, output))\n"
            f"print('gradient', *later_gradients(function, x, [{at}]))\n"
        )
