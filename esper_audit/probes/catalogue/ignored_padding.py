"""The probe `ignored-padding`: what a mask or lengths exclude does not change the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.padding import (
    Padding,
    convolution_in,
    is_plain_mask,
    padding_of,
    with_padding,
)
from esper_audit.probes.measure.execution.precise_run import PreciseRun, precise_run
from esper_audit.probes.measure.parameters.redrawing import DRAWS, REDRAWING, redraw
from esper_audit.probes.measure.readings import Limits, Reading, within_rounding
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.universal import UniversalProbe, documentation_of

KEPT = "kept by"  # of a witness: what a mask holds at a kept position


class IgnoredPadding(UniversalProbe):
    """What a mask or lengths exclude does not change the output at the other positions.

    What: a forward that takes a padding mask or lengths. The excluded positions, at the end and for a mask
    also at the beginning, are replaced, but for a neighbour of a kept one: the output at the others must
    stay. A mask may mean either that true is kept or that true is excluded: it is enough that one of them
    holds.

    Why: the score of a sentence then depends on the longest one in its batch, and on what the collator
    puts after the end. Training works, and no error is raised.

    Quiet: a mask with the name `mask` where nothing is an attention, or where a docstring speaks of what is
    causal. A convolution reaches from one position to the next by design. An output that has no axis of
    positions is compared as a whole, and one of the ends has to be ignored: the other may be what it is read
    from.

    Tickets: real code
    """

    contract = "padding-ignored"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "padding": within_rounding("excluded positions change the output at the others"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Replace the excluded positions at each end, under each meaning of the mask."""
        subject = with_padding(subject, subject.build())
        run = precise_run(subject, state)
        padding = padding_of(subject, run.module)
        if padding is None:
            return
        is_pooled = padding.is_pooled(subject.at(state))
        for weights in DRAWS:
            redraw(run.module, weights)
            readings = [*_readings(padding, run, weights)]
            # A sample that is read at one end needs that one.
            yield from (
                [min(readings, key=lambda one: one.value)] if is_pooled and readings else readings
            )

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if a convolution reaches into the padding, or the mask is of what is causal."""
        if "causal" in documentation_of(subject).lower() and is_plain_mask(subject):
            return "has a mask that may be of what is causal, by its docstring"
        name = convolution_in(subject.build())
        return f"{name} reaches from one position to the next" if name else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that replaces the excluded positions."""
        message = "excluded positions change the output at the others"
        subject = with_padding(subject, subject.build())
        padding = padding_of(subject, subject.build())
        assert padding is not None
        text = recipe_text(subject.recipe)
        specs = dict(zip(text.names, tensors_in(subject.recipe.call), strict=True))
        mask, x = text.names[padding.mask_number], text.names[padding.input_number]
        is_double = witness["dtype"] == "torch.float64"
        side = str(witness["side"])
        parts = (padding.places(side)[0], padding.replaced(side))
        at, one = (f"[:, {part.start or ''}:{part.stop or ''}]" for part in parts)
        drawn = f"torch.randn_like({x}{one})" if specs[x].is_floating else f"({x}{one} + 1) % 2"
        compared = padding.compared(side)
        body = [
            *(REDRAWING if witness["draw"] and [*subject.build().parameters()] else []),
            *(f"{n} = {n}.double()" for n, s in specs.items() if s.is_floating and is_double),
            *padding.assignments(mask, at, kept=bool(witness[KEPT])),
            "with torch.no_grad():",
            f"    first = module(CALL){compared}.clone()",
            f"{x}{one} = {drawn}",
            "with torch.no_grad():",
            f"    second = module(CALL){compared}",
            f'assert torch.allclose(first, second, rtol=1e-4, atol=1e-5), "{message}"',
        ]
        mode = "double().eval" if is_double else "eval"
        return program(subject.recipe, body, mode=mode), f"AssertionError: {message}"


def _readings(padding: Padding, run: PreciseRun, draw: int) -> Iterator[Reading]:
    """Yield a reading for each end at which positions can be excluded, by the likelier meaning of the mask."""
    for side in padding.sides:
        gaps = {kept: padding.gap(run, side, kept) for kept in padding.meanings}
        known = {kept: gap for kept, gap in gaps.items() if gap is not None}
        if known:
            kept = min(known, key=lambda one: known[one])
            where: dict[str, Plain] = {"side": side, KEPT: kept, "dtype": str(run.dtype)}
            yield Reading("padding", known[kept], {**where, "draw": draw})
