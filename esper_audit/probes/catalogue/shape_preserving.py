"""The probe `shape-preserving`: the output has the shape, dtype and layout of the input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference
from esper_audit.probes.measure.execution.precision import ResultPrecision
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Draw, Module
from esper_audit.rules.rule import Options

BATCHES = (1, 2)
# In units in the last place of the largest value: another kernel sums in another order.
ROUNDINGS = 16.0
DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# The dtypes of features under autocast: after a layer that it ignores, and after one that it lowers.
AUTOCAST = ("float32", "bfloat16")


class ShapePreservingParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a module keeps besides shape and dtype, and what it refuses.

    `aliases`: the output may be the input itself. `strict`: another rank or width is refused.
    `pictures`: an input with four axes is (batch, channels, height, width), and its memory format is kept.
    `autocast`: the dtype is kept under `torch.autocast` with bfloat16, too.
    """

    dtypes: tuple[str, ...] = tuple(DTYPES)
    aliases: bool = False
    strict: bool = False
    pictures: bool = True
    autocast: bool = False


class ShapePreserving(Probe[Module]):
    """The output has the shape, dtype and layout of the input.

    What: the probe runs every declared width and promised dtype, a batch of one and of two, contiguous and
    non-contiguous. The output has the shape, dtype and memory format of the input. The input is not
    overwritten, and the values do not depend on its layout. If promised, the dtype is kept under autocast,
    and another rank or width raises an error.

    Why: a seed is inserted between two layers that were trained without it. A broadcast hides a wrong shape,
    a promotion to float32 crashes the next layer under autocast, and another layout slows later layers.

    Quiet: promise `aliases=True` for a module that may return its input. Do not declare widths that a
    module refuses.

    Tickets: real code
    """

    contract = "shape-preserving"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Module
    Parameters = ShapePreservingParameters
    parameters: ShapePreservingParameters
    limits: ClassVar[Limits] = {
        "raises": must_be_zero("the forward raised"),
        "shape": must_be_zero("the output has another shape than the input"),
        "dtype": must_be_zero("the output has another dtype than the input"),
        "autocast": must_be_zero("under autocast the output has another dtype than the input"),
        "memory-format": must_be_zero("the output has another memory format than the input"),
        "overwritten": must_be_zero("the input was overwritten"),
        "layout": Limit("at most", ROUNDINGS, "the values depend on the layout of the input"),
        "aliased": must_be_zero("the output shares its memory with the input"),
        "wrong-input": must_be_zero("features of another rank or width were accepted"),
    }

    def measure(self, subject: Module, state: str) -> Iterator[Reading]:
        """Sweep widths, batches and dtypes."""
        for dim, name in product(subject.dims, self.parameters.dtypes):
            module: nn.Module = subject.at(state, dim).to(DTYPES[name]).eval()
            for batch in BATCHES:
                draw = Draw(dim, batch=batch, dtype=DTYPES[name])
                witness: dict[str, Plain] = {"dim": dim, "batch": batch, "dtype": name}
                try:
                    yield from self._run(subject, module, subject.inputs(draw), witness)
                # Any error of the forward is the finding.
                except FAILURES as error:
                    text = f"{type(error).__name__}: {error}"
                    yield Reading("raises", 1.0, {**witness, "error": text})
        for dim, name in product(subject.dims, AUTOCAST if self.parameters.autocast else ()):
            yield from _under_autocast(subject, subject.at(state, dim).eval(), dim, name)
        if self.parameters.strict:
            yield from _refusals(subject, subject.at(state).eval())

    def _run(
        self, subject: Module, module: nn.Module, inputs: Tensor, witness: dict[str, Plain]
    ) -> Iterator[Reading]:
        before = inputs.clone()
        is_picture = inputs.dim() == 4 and self.parameters.pictures
        with torch.no_grad(), ResultPrecision() as results:
            output = subject.call(module, inputs)
            relaid = subject.call(module, _relaid(before, is_picture=is_picture))
        shape = {**witness, "got": f"{tuple(output.shape)}", "from": f"{tuple(inputs.shape)}"}
        yield Reading("shape", float(output.shape != inputs.shape), shape)
        has_same_dtype = output.dtype == inputs.dtype
        yield Reading("dtype", float(not has_same_dtype), {**witness, "got": f"{output.dtype}"})
        yield Reading("overwritten", difference(before, inputs), witness)
        if not self.parameters.aliases:
            yield Reading("aliased", float(output.data_ptr() == inputs.data_ptr()), witness)
        last_place = max(1.0, float(before.abs().max())) * results.unit
        yield Reading("layout", difference(output, relaid) / last_place, witness)
        if is_picture:
            is_last = relaid.is_contiguous(memory_format=torch.channels_last)
            yield Reading("memory-format", float(not is_last), witness)


def _under_autocast(subject: Module, module: nn.Module, dim: int, name: str) -> Iterator[Reading]:
    inputs = subject.inputs(Draw(dim, dtype=DTYPES[name]))
    witness: dict[str, Plain] = {"dim": dim, "dtype": name, "autocast": "bfloat16"}
    try:
        with torch.no_grad(), torch.autocast(inputs.device.type, torch.bfloat16):
            output = subject.call(module, inputs)
    # Any error of the forward is the finding.
    except FAILURES as error:
        yield Reading("raises", 1.0, {**witness, "error": f"{type(error).__name__}: {error}"})
        return
    has_same_dtype = output.dtype == inputs.dtype
    yield Reading("autocast", float(not has_same_dtype), {**witness, "got": f"{output.dtype}"})


def _relaid(inputs: Tensor, *, is_picture: bool) -> Tensor:
    """Return the same values in another layout: channels last for pictures, else swapped strides."""
    if is_picture:
        return inputs.to(memory_format=torch.channels_last)
    return inputs.transpose(-1, -2).contiguous().transpose(-1, -2)


def _refusals(subject: Module, module: nn.Module) -> Iterator[Reading]:
    draw = Draw(subject.dims[0])
    wider = subject.inputs(replace(draw, dim=draw.dim + 1))
    for what, inputs in (("rank", subject.inputs(draw)[0]), ("width", wider)):
        try:
            with torch.no_grad():
                subject.call(module, inputs)
        # A module may refuse inputs by any error.
        except FAILURES:
            yield Reading("wrong-input", 0.0, {"another": what})
        else:
            yield Reading("wrong-input", 1.0, {"another": what})
