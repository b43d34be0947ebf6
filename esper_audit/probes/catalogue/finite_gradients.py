"""The probe `finite-gradients`: where an output is finite, so are the gradients."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.output_tree import tensors_of
from esper_audit.probes.measure.parameters.gradients import backward
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe

EDGES = {
    "ordinary": "{x}",
    "all zero": "torch.zeros_like({x})",
    "all one": "torch.ones_like({x})",
    "tiny": "{x} * 1e-25",
    "large": "torch.full_like({x}, 100.0)",
}
COLOURS = re.compile(r"rgb|xyz|cie|hsv|hsl|ycbcr|yuv|colou?r", re.IGNORECASE)


class FiniteGradients(UniversalProbe):
    """Where the output is finite, the gradients are finite.

    What: the probe runs forward and backward on ordinary inputs, all zeros, all ones, tiny and large
    values. Wherever all outputs are finite, the gradients of inputs and parameters must be, too.

    Why: the derivative of a root, a power, a norm or a standard deviation at zero is infinite, and times
    zero it is NaN. One padded row or one dead picture then erases all weights.

    Quiet: outputs that are not finite are left out, because they show by themselves. What takes colours by
    its name has it as a property where the gradients of values in [0, 1] are finite.

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
        for edge in EDGES:
            module = switch_mode(subject.at(state), training=False)
            try:
                bad = _bad_gradient(subject, module, edge)
            # A value that the module refuses is no edge of its inputs.
            except FAILURES:
                continue
            detector = "ordinary" if edge == "ordinary" else "edge"
            yield Reading(detector, float(bool(bad)), {"inputs": edge, "gradient": bad})
            if bad:
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the inputs are colours, and gradients are finite for each colour."""
        if detector != "ordinary" or not COLOURS.search(subject.recipe.class_name):
            return ""
        module = switch_mode(subject.build(), training=False)
        if _bad_gradient(subject, module, "of colours"):
            return ""
        return "takes colours by its name, and its gradients are finite for values in [0, 1]"

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that looks at the gradients."""
        names = recipe_text(subject.recipe).names
        specs = tensors_in(subject.recipe.call)
        edge = EDGES[str(witness["inputs"])]
        floating = [n for n, spec in zip(names, specs, strict=True) if spec.is_floating]
        parameters = "" if subject.recipe.is_function else ", *module.parameters()"
        message = "the outputs are finite, but gradients are not"
        body = [
            *(f"{n} = ({edge.format(x=n)}).requires_grad_()" for n in floating),
            "outputs = module(CALL)",
            "outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]",
            "outputs = [y for y in outputs if isinstance(y, torch.Tensor) and y.requires_grad]",
            "assert all(y.isfinite().all() for y in outputs)",
            "sum((y * torch.linspace(0.5, 1.5, y.numel()).view(y.shape)).sum() for y in outputs).backward()",
            f"leaves = [{', '.join(floating)}{parameters}]",
            f'assert all(t.grad is None or t.grad.isfinite().all() for t in leaves), "{message}"',
        ]
        return program(subject.recipe, body), f"AssertionError: {message}"


def _bad_gradient(subject: Discovered, module: nn.Module, edge: str) -> str:
    """Return what has a gradient that is not finite although all outputs are, empty if nothing has."""
    leaves: list[Tensor] = []
    call = at_edge(subject.arguments_of_call(), edge, leaves)
    outputs = [t for t in tensors_of(subject.run(module, call)) if t.is_floating_point()]
    live = [t for t in outputs if t.requires_grad and t.numel()]
    if not live or not all(bool(t.isfinite().all()) for t in outputs):
        return ""
    weights = [torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).view(t.shape) for t in live]
    backward(torch.stack([(t * w).sum() for t, w in zip(live, weights, strict=True)]).sum())
    named = [*((f"input {n}", leaf) for n, leaf in enumerate(leaves)), *module.named_parameters()]
    bad = [n for n, t in named if t.grad is not None and not bool(t.grad.isfinite().all())]
    return bad[0] if bad else ""


def at_edge(tree: Any, edge: str, leaves: list[Tensor]) -> Any:
    """Return arguments with their floating tensors replaced by an edge, and add these to `leaves`."""
    if isinstance(tree, Tensor):
        if not tree.is_floating_point():
            return tree
        values = {
            "ordinary": tree,
            "all zero": torch.zeros_like(tree),
            "all one": torch.ones_like(tree),
            "tiny": tree * 1e-25,
            "large": torch.full_like(tree, 100.0),
            "of colours": tree.abs().clamp(max=1.0),
        }
        leaves.append(values[edge].detach().requires_grad_())
        return leaves[-1]
    if isinstance(tree, dict):
        return {key: at_edge(item, edge, leaves) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(at_edge(item, edge, leaves) for item in tree)
    return tree
