"""The probe `finite-gradients`: where an output is finite, so are the gradients."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.gradient_origin import gradient_origin, weighted_sum
from esper_audit.probes.measure.execution.input_edges import (
    COLOURS,
    CONSTANT,
    EDGES,
    ORDINARY,
    InputEdge,
    half_at,
    is_target,
    leaves_at,
)
from esper_audit.probes.measure.output_tree import named_tensors
from esper_audit.probes.measure.parameters.gradients import backward
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
    that is torch's own but for its name is not looked at. A metric has properties only.

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
            where |= _origin_at(subject, state, edge) if bad else {}
            yield Reading("ordinary" if edge is ORDINARY else "edge", float(bool(bad)), where)
            if bad:
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if any constant does it, or if the inputs are colours and no colour does it."""
        if is_metric(subject):
            return "is a metric, by its module or base"
        module = switch_mode(subject.build(), training=False)
        if detector == "edge" and _is_zero_loss(subject, module, witness):
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
        edge = next(one for one in (ORDINARY, *EDGES) if one.name == witness["inputs"])
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


def _origin_at(subject: Discovered, state: str, edge: InputEdge) -> dict[str, Plain]:
    """Return the operation in which the gradients stop being finite, and its line."""
    module = switch_mode(subject.at(state), training=False)
    origin = gradient_origin(lambda: subject.run(module, leaves_at(subject, edge)[0]))
    return {"operation": origin.operation, "line": origin.line} if origin else {}


def _is_zero_loss(subject: Discovered, module: nn.Module, witness: Mapping[str, Plain]) -> bool:
    """Return whether the outputs at an edge are single zeros, and gradients with half of the values there finite."""
    edge = next(one for one in EDGES if one.name == witness["inputs"])
    outputs = live_outputs(subject, module, edge)[0].values()
    is_zero = all(t.numel() == 1 and not bool(t.any()) for t in outputs)
    return is_zero and not bad_gradient(subject, module, half_at(edge))


def live_outputs(
    subject: Discovered, module: nn.Module, edge: InputEdge
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Return the outputs that have a gradient at an edge, none if one is not finite, and the inputs."""
    call, leaves = leaves_at(subject, edge)
    outputs = named_tensors(subject.run(module, call))
    floating = {path: t for path, t in outputs.items() if t.is_floating_point()}
    if not all(bool(t.isfinite().all()) for t in floating.values()):
        return {}, leaves
    return {path: t for path, t in floating.items() if t.requires_grad and t.numel()}, leaves


def bad_gradient(
    subject: Discovered,
    module: nn.Module,
    edge: InputEdge,
    total: Callable[[Iterable[Tensor]], Tensor] = weighted_sum,
) -> str:
    """Return what has a gradient that is not finite although all outputs are, empty if nothing has."""
    outputs, leaves = live_outputs(subject, module, edge)
    if not outputs:
        return ""
    for parameter in module.parameters():
        parameter.grad = None
    backward(total(outputs.values()))
    specs = named_specs(subject.recipe)
    names = [name for name, spec in specs if spec.is_floating and not is_target(name)]
    names += [""] * len(leaves)
    named = [*zip(names, leaves, strict=False), *module.named_parameters()]
    bad = [n for n, t in named if t.grad is not None and not bool(t.grad.isfinite().all())]
    return (bad[0] or "an input") if bad else ""


def plain_sum(outputs: Iterable[Tensor]) -> Tensor:
    """Return the sum of the outputs."""
    return torch.stack([t.sum() for t in outputs]).sum()


def _input_text(edge: InputEdge, argument: str, spec: TensorSpec) -> str:
    """Return the expression of an input at an edge."""
    is_leaf = not is_target(argument)
    if not edge.text or not edge.only.fullmatch(argument):
        return f"({tensor_text(spec)}).requires_grad_()" if is_leaf else tensor_text(spec)
    text = edge.text.format(shape=", ".join(map(str, spec.shape)) or "()")
    kind = "" if spec.dtype == "float32" else f", dtype=torch.{spec.dtype}"
    return f"{text.removesuffix(')')}{kind}{', requires_grad=True' if is_leaf else ''})"
