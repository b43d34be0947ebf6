"""The probe `finite-gradients`: where an output is finite, so are the gradients."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.edge_gradients import (
    bad_gradient,
    is_loss,
    is_zero_loss,
    live_outputs,
    origin_at,
    plain_sum,
)
from esper_audit.probes.measure.execution.input_edges import (
    COLOURS,
    CONSTANT,
    EDGES,
    ORDINARY,
    InputEdge,
    edge_named,
    is_target,
)
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.argument_names import named_specs
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text, tensor_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import TensorSpec, tensors_in
from esper_audit.probes.subject.class_source import is_renamed_layer
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe, is_metric

WEIGHTED = "({y} * torch.linspace(0.5, 1.5, {y}.numel()).view({y}.shape)).sum()"
COLOUR_NAMES = re.compile(r"rgb|xyz|cie|hsv|hsl|ycbcr|yuv|colou?r", re.IGNORECASE)


class FiniteGradients(UniversalProbe):
    """Where the output is finite, the gradients are finite.

    What: the probe runs forward and backward on ordinary inputs, all zeros, all ones, and 100 wherever an
    argument may have any size by its name. Wherever all outputs are finite, the gradients of inputs and
    parameters must be, too. The operation is named whose derivative is not.

    Why: the derivative of a root or a power at zero is infinite, and times zero it is NaN, also where
    `torch.where` leaves the value out. One padded row or one dead picture then erases all weights.

    Quiet: outputs that are not finite are left out, because they show by themselves, and so are gradients of
    targets. What is not finite at any constant input, such as a standard deviation, is a property. So is a loss
    that is exactly zero, and so are colours by name where the gradients of values in [0, 1] are finite. A layer
    that is torch's own but for its name is not looked at. A metric has properties only, and so has at an
    edge a function that is no loss.

    Tickets: real code
    """

    contract = "finite-gradients"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    limits: ClassVar[Limits] = {
        "ordinary": must_not_occur("gradients of ordinary inputs are not finite"),
        "edge": must_not_occur("gradients at an edge of the inputs are not finite"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Run forward and backward at each edge."""
        if not any(spec.is_floating for spec in tensors_in(subject.recipe.call)):
            return
        target = import_name(subject.recipe.target)
        if isinstance(target, type) and is_renamed_layer(target):
            return
        for edge in (ORDINARY, *EDGES):
            module = switch_mode(subject.at(state), training=False)
            try:
                bad = bad_gradient(subject, module, edge)
            # A value that the module refuses is no edge of its inputs.
            except FAILURES:
                continue
            where: dict[str, Plain] = {"inputs": edge.name, "gradient of": bad}
            where |= origin_at(subject, state, edge) if bad else {}
            yield Reading("ordinary" if edge is ORDINARY else "edge", float(bool(bad)), where)
            if bad:
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if any constant does it, or if the inputs are colours and no colour does it."""
        if is_metric(subject):
            return "is a metric, by its module or base"
        if detector == "edge" and subject.recipe.is_function and not is_loss(subject):
            return "is no loss, and what calls it may need no gradient"
        module = switch_mode(subject.build(), training=False)
        edge = edge_named(str(witness["inputs"]))
        if detector == "edge" and is_zero_loss(subject, module, edge):
            return "has no finite gradient only where its loss as a whole is exactly zero"
        if detector == "edge" and bad_gradient(subject, module, CONSTANT):
            return (
                "has no finite gradients where all values of an input are equal, whatever they are"
            )
        if detector != "ordinary" or not COLOUR_NAMES.search(subject.recipe.class_name):
            return ""
        if bad_gradient(subject, module, COLOURS):
            return ""
        return "takes colours by its name, and its gradients are finite for values in [0, 1]"

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that looks at the gradients."""
        edge = edge_named(str(witness["inputs"]))
        names, specs = recipe_text(subject.recipe).names, named_specs(subject.recipe)
        inputs = {
            name: _input_text(edge, argument, spec)
            for name, (argument, spec) in zip(names, specs, strict=True)
            if spec.is_floating
        }
        module = switch_mode(subject.build(), training=False)
        live = [n for n, (argument, _) in zip(names, specs, strict=True) if not is_target(argument)]
        shown = [name for name in live if name in inputs]
        leaves = ", ".join([*shown, *(["*module.parameters()"] if [*module.parameters()] else [])])
        outputs = [f"output{path}" for path in live_outputs(subject, module, edge)[0]]
        total = "{y}.sum()" if bad_gradient(subject, module, edge, plain_sum) else WEIGHTED
        message = "the outputs are finite, but gradients are not"
        body = [
            "output = module(CALL)",
            *(f"assert {one}.isfinite().all()" for one in outputs),
            f"loss = {' + '.join(total.format(y=one) for one in outputs)}",
            "loss.backward()",
            f"for t in [{leaves}]:",
            f'    assert t.grad is None or t.grad.isfinite().all(), "{message}"',
        ]
        return program(subject.recipe, body, inputs=inputs), f"AssertionError: {message}"


def _input_text(edge: InputEdge, argument: str, spec: TensorSpec) -> str:
    """Return the expression of an input at an edge."""
    is_leaf = not is_target(argument)
    if not edge.text or not edge.only.fullmatch(argument):
        return f"({tensor_text(spec)}).requires_grad_()" if is_leaf else tensor_text(spec)
    text = edge.text.format(shape=", ".join(map(str, spec.shape)) or "()")
    kind = "" if spec.dtype == "float32" else f", dtype=torch.{spec.dtype}"
    return f"{text.removesuffix(')')}{kind}{', requires_grad=True' if is_leaf else ''})"
