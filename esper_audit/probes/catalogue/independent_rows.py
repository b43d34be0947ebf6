"""The probe `independent-rows`: in eval mode a sample of a batch does not depend on the others."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.followed_axes import (
    followed_axes,
    has_single_output,
)
from esper_audit.probes.measure.dependence.row_mixing import (
    depends_by_first,
    is_repeatable,
    row_gap,
    takes_one_sample,
)
from esper_audit.probes.measure.execution.precise_run import (
    precise_run,
)
from esper_audit.probes.measure.parameters.redrawing import REDRAWING, redraw
from esper_audit.probes.measure.readings import Limits, Reading, within_rounding
from esper_audit.probes.mixed_rows import reason_to_mix, takes_numbers
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import TupleSpec, tensors_in
from esper_audit.probes.universal import UniversalProbe, documentation_of, is_sampling_by_name

AXES = re.compile(r"dims?|ax[ie]s")
BATCH_FIRST_LAYERS = re.compile(r"(Lazy)?(Conv|BatchNorm|SyncBatchNorm)")
SEQUENCE_RANK = 3  # (batch, time, width) or (time, batch, width)


class IndependentRows(UniversalProbe):
    """In eval mode the output of a sample does not depend on the other samples of the batch.

    What: the batch axis is one whose size the output follows. With the other samples replaced, the last
    sample must give the same output, in double precision where the module runs in it, at birth and with
    parameters drawn anew.

    Why: a score then depends on which samples happen to share a batch, so an evaluation changes with the
    batch size and with the order of the data.

    Quiet: losses and what compares samples on purpose, by name, also of a part; the nodes of a graph, by their
    edges or the number of their graph; time-first sequences, by `batch_first=False` or because their second
    axis is independent; one sample without a batch, by the rank that its convolution, pooling or RNN gets; a first
    axis that an option such as `dim` names, or that only a second argument of a guessed shape mixes; modules
    that do not repeat their own output, which `deterministic-evaluation` looks at.

    Tickets: real code
    """

    contract = "batch-independence"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "rows": within_rounding("the output of a sample depends on the other samples"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Replace all samples but the last and compare its output."""
        if takes_numbers(subject):
            return
        run = precise_run(subject, state)
        axes = [
            one
            for one in followed_axes(subject, subject.at(state))
            if one.axis < 2 and one.size > 1
        ]
        is_time_first = vars(run.module).get("batch_first") is False  # by its own option
        if is_time_first or not axes or axes[0].axis != 0 or takes_one_sample(subject):
            return
        for weights in (0, 2):
            redraw(run.module, weights)
            gaps = {one.axis: row_gap(subject, run, one) for one in axes}
            if (
                gaps[0] > 1.0
                and _may_be_time_first(subject, run.module)
                and gaps.get(1, 2.0) <= 1.0
            ):
                return
            if gaps[0] > 1.0 and not is_repeatable(subject, run):
                return  # a state or chance explains the difference
            if gaps[0] > 1.0 and not depends_by_first(subject, run, axes[0]):
                return  # the first axis of another argument, of a guessed shape, may be no batch
            yield Reading("rows", gaps[0], {"draw": weights, "dtype": str(run.dtype)})

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the class compares samples, or samples at random."""
        if option := _option_of_first_axis(subject):
            return f"works along the first axis, by its option {option}"
        reason = reason_to_mix(subject.build(), documentation_of(subject))
        is_random = not reason and is_sampling_by_name(subject)
        return "samples at random, by its name or docstring" if is_random else reason

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that replaces all samples but the last."""
        message = "the output of the last sample depends on the others"
        text = recipe_text(subject.recipe)
        specs = dict(zip(text.names, tensors_in(subject.recipe.call), strict=True))
        is_double = witness["dtype"] == "torch.float64"
        cast = [f"{n} = {n}.double()" for n, s in specs.items() if s.is_floating and is_double]
        drawn = [
            f"{n}[:-1] = torch.randn_like({n}[:-1])"
            if s.is_floating
            else f"{n}[:-1] = {n}[:-1].flip(-1)"
            for n, s in specs.items()
            if s.dtype != "bool" and s.shape and s.shape[0] == specs[text.names[0]].shape[0]
        ]
        body = [
            *(REDRAWING if witness["draw"] else []),
            *cast,
            "with torch.no_grad():",
            "    first = module(CALL)[-1].clone()"
            if has_single_output(subject)
            else "    first = module(CALL)[0][-1].clone()",
            *drawn,
            "with torch.no_grad():",
            "    second = module(CALL)[-1]"
            if has_single_output(subject)
            else "    second = module(CALL)[0][-1]",
            f'assert torch.allclose(first, second, rtol=1e-4, atol=1e-5), "{message}"',
        ]
        mode = "double().eval" if is_double else "eval"
        return program(subject.recipe, body, mode=mode), f"AssertionError: {message}"


def _may_be_time_first(subject: Discovered, module: nn.Module) -> bool:
    """Return whether the first axis may be time: a sequence, and no layer that puts the batch first."""
    rank = len(tensors_in(subject.recipe.call)[0].shape)
    kinds = {type(leaf).__name__ for leaf in module.modules()}
    return rank == SEQUENCE_RANK and not any(map(BATCH_FIRST_LAYERS.match, kinds))


def _option_of_first_axis(subject: Discovered) -> str:
    """Return the option by which a module was told to work along the first axis of its input, if any."""
    if subject.recipe.is_function:
        return ""
    parameters = inspect.signature(import_name(subject.recipe.target)).parameters
    given = {name: p.default for name, p in parameters.items()} | dict(subject.recipe.build.kwargs)
    first = {0, -len(tensors_in(subject.recipe.call)[0].shape)}
    for name, value in given.items():
        items = value.items if isinstance(value, TupleSpec) else value
        axes = items if isinstance(items, (list, tuple)) else (items,)
        is_number = all(isinstance(axis, int) and not isinstance(axis, bool) for axis in axes)
        if AXES.fullmatch(str(name)) and is_number and first & set(axes):
            return str(name)
    return ""
